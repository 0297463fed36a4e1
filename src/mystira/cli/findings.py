"""How findings in authors' files are shown: where each stands, with the line that it is about."""

import itertools
from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from mystira.domain.files.findings import Finding

_WIDEST = 100
"""How much of a line is shown."""


def show_findings(console: Console, name: str, findings: Sequence[Finding], lines: Sequence[str]) -> None:
    """Print the findings of one file, each with its line and a mark below the place."""
    for finding, after in itertools.zip_longest(findings, findings[1:]):
        # What is told of one place stands together, above the line.
        is_last = after is None or (after.line, after.column) != (finding.line, finding.column)
        for shown in _finding(name, finding, lines if is_last else ()):
            console.print(shown, soft_wrap=True)


def headline(name: str, findings: Sequence[Finding], said: str) -> Text:
    """One line that says how a file fares: `said` is what it is, where it is sound."""
    errors = sum(finding.is_error for finding in findings)
    warnings = len(findings) - errors
    counted = ", ".join(
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    )
    mark = ("✗", "bold red") if errors else ("✓", "green")
    text = said if not errors else ""
    return Text.assemble(mark, f" {name}: ", ", ".join(part for part in (text, counted) if part))


def _finding(name: str, finding: Finding, lines: Sequence[str]) -> Iterator[RenderableType]:
    place = name if finding.line is None else f"{name}:{finding.line}:{finding.column}"
    style = "bold red" if finding.is_error else "yellow"
    yield Text.assemble(
        f"{place}: ", (finding.severity, style), f": {finding.message} ", (finding.code, "dim")
    )
    if finding.line is None or finding.column is None or finding.line > len(lines):
        return
    before, line = _cut(lines[finding.line - 1], finding.column)
    if line.strip():
        margin = f"{finding.line:>6} │ "
        yield Text(margin + line, style="dim")
        yield Text(" " * (len(margin) + before) + "^", style=style)


def _cut(line: str, column: int) -> tuple[int, str]:
    """As much of a line as is shown around a column, and where in it the column is, from 0."""
    line, at = line.replace("\t", " "), column - 1
    begin = 0 if at < _WIDEST - 10 else at - _WIDEST // 2
    return at - begin, line[begin : begin + _WIDEST].rstrip()
