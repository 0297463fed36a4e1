"""The table of commands. Each file is imported only when its command is asked for, so that help is quick."""

from importlib import import_module
from typing import Final

from cyclopts import App


def _version() -> str:
    return import_module("importlib.metadata").version("mystira")  # type: ignore[no-any-return]


app: Final = App(
    name="mystira",
    help="The platform of Mystira: start it, move its records between stores while people play, prove it.",
    help_format="plaintext",
    # How a command ends is decided in one place (entry.py).
    suppress_keyboard_interrupt=False,
    version=_version,
    help_epilogue=(
        "Exit codes: 0 done; 1 the answer is no (refused, differences, lost records); 2 wrong usage or "
        "environment; 3 no platform answers; 130 interrupted."
    ),
)

app.command("mystira.cli.up:up", help="Start a platform and keep it up until Ctrl-C.")
app.command("mystira.cli.demo:demo", help="Move live accounts there and back under traffic, and prove it.")
app.command("mystira.cli.status:status", help="Show where every kind stands, and what runs.")
app.command("mystira.cli.move:app", name="move", help="Take the steps of a move, and look at them.")
app.command("mystira.cli.queue:app", name="queue", help="Look at changes that wait; replay or drop them.")
app.command("mystira.cli.rogue:app", name="rogue", help="Decide about writes made behind the engine's back.")
app.command("mystira.cli.store:app", name="store", help="Look at records as both stores hold them; clean up.")
app.command("mystira.cli.content:app", name="content", help="Check stories; bring content in and out.")
app.command("mystira.cli.seed:seed", help="Bring in the stories that come with the platform.")
app.command("mystira.cli.badges:app", name="badges", help="Work out at which sums badges are earned.")
app.command("mystira.cli.people:app", name="people", help="Say who is staff.")
app.command("mystira.cli.schema:app", name="schema", help="Bring the tables of PostgreSQL up or down.")
app.command("mystira.cli.simulate:simulate", help="Let simulated families use a platform, and check it.")
app.command("mystira.cli.doctor:doctor", help="Check this machine and the platform; say what to mend.")
app.command("mystira.cli.token:token", help="Print a token by which a program such as curl may ask.")
app.command("mystira.cli.serve:app", name="serve", help="Run one service, as `up` does for all of them.")
app.command(
    "mystira.cli.completion:install_completion",
    name="--install-completion",
    help="Let the shell complete commands and options.",
)
