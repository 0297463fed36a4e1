"""Completion for shells, installed by the shell's own rules."""

from typing import Annotated, Literal

from cyclopts import Parameter

from mystira.cli import exits
from mystira.cli.commands import app


def install_completion(
    shell: Annotated[
        Literal["bash", "fish", "zsh"] | None, Parameter(help="Default: the present one.")
    ] = None,
) -> int:
    """Write the completion script where the shell looks for it, and say where."""
    print(f"Written to {app.install_completion(shell=shell)}; it works in every new shell.")
    return exits.OK
