"""The report of a long run, as a page for people; `results.json` beside it is for machines."""

import html
from collections.abc import Sequence

from proofs.results import FOLDER, Results
from proofs.trials import Finding, Trial, summed

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
color: #1c2430 }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3rem .8rem .3rem 0;
vertical-align: top; border-bottom: 1px solid #d5dbe3 } td.n { text-align: right } .holds { color: #12703a }
.broken { color: #a3201d; font-weight: 600 }
pre { white-space: pre-wrap; background: #f4f6f9; padding: .8rem }
@media (prefers-color-scheme: dark) { body { background: #12161c; color: #dde3ea } pre { background: #1b222b }
td, th { border-color: #2c3642 } .holds { color: #6fcf97 } .broken { color: #ff8a80 } }
"""


def write_report(trials: Sequence[Trial], results: Results) -> str:
    """Write the page; returns its path as text."""
    sections = "".join(_section(trial, results) for trial in trials)
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>Proof of Mystira\'s engine</title><style>{_STYLE}</style>'
        f"<h1>What was tried</h1><p>Code <code>{results.code}</code>.</p>{sections}</html>"
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / "report.html"
    path.write_text(page)
    return str(path)


def _section(trial: Trial, results: Results) -> str:
    found = results.found(trial.name)
    findings = [found[part] for part in trial.parts if part in found]
    sums = summed(trial, findings)
    told = ", ".join(f"{name} {figure:,}" for name, figure in sums.items() if not isinstance(figure, str))
    missing = len(trial.parts) - len(findings)
    left = f" {missing} of {len(trial.parts)} parts have not been tried." if missing else ""
    broken = "".join(f'<p class="broken">{html.escape(each)}.</p>' for each in trial.missed(findings))
    rows = "".join(_row(finding) for finding in findings)
    return (
        f"<h2>{html.escape(trial.name.capitalize())}</h2><p>{html.escape(trial.claim)}</p>"
        f"<p><strong>{html.escape(told)}</strong>.{left}</p>{broken}<table>{rows}</table>"
    )


def _row(finding: Finding) -> str:
    outcome = finding.outcome
    word, told = ("holds", "holds") if outcome.holds else ("broken", "broken")
    figures = ", ".join(
        f"{name} {figure:,}" if not isinstance(figure, str) else f"{name} {figure}"
        for name, figure in outcome.figures.items()
    )
    story = f"<details><summary>how</summary><pre>{html.escape(outcome.story)}</pre></details>"
    return (
        f'<tr><td>{html.escape(finding.part)}</td><td class="{word}">{told}</td>'
        f"<td>{html.escape(figures)}{story if outcome.story else ''}</td>"
        f'<td class="n">{finding.seconds:,.1f} s</td></tr>'
    )
