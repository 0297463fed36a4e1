"""`mystira serve`: one service as a process of its own, as in production; `mystira up` starts them so too.

Servers are taken from the settings; those of the platform in the data folder, where none are given.
"""

from typing import Annotated, Final

from cyclopts import App, Parameter

from mystira.cli import exits
from mystira.cli.options import DataFolder
from mystira.serve import serve
from mystira.settings import load_settings
from mystira.supervisor import reach

app: Final = App(name="serve", help_format="plaintext")


@app.command
def api(
    *,
    data_folder: DataFolder = None,
    host: Annotated[str | None, Parameter(help="Where it listens; 127.0.0.1 unless set.")] = None,
    port: Annotated[int | None, Parameter(help="Its port; 8080 unless set.")] = None,
) -> int:
    """Serve the App API and the Admin API until SIGTERM or Ctrl-C."""
    serve("api", reach(load_settings(data_folder=data_folder, host=host, port=port)))
    return exits.OK


@app.command
def worker(*, data_folder: DataFolder = None) -> int:
    """Follow changes, and carry out the steps of moves, until SIGTERM or Ctrl-C."""
    serve("worker", reach(load_settings(data_folder=data_folder)))
    return exits.OK
