"""Completion for shells, installed by the shell's own rules."""

from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.completion.detect import ShellDetectionError

from mystira.cli import exits
from mystira.cli.commands import app
from mystira.cli.refusals import CommandError

Shell = Literal["bash", "fish", "zsh"]


def install_completion(
    shell: Annotated[Shell | None, Parameter(help="Default: the present one.")] = None,
) -> int:
    """Write the completion script where the shell looks for it, and say where."""
    try:
        path = app.install_completion(shell=shell)
    except ShellDetectionError as error:
        message = "Which shell this is cannot be told: say bash, fish or zsh."
        raise CommandError(message, exit_code=exits.USAGE, code="unknown_shell") from error
    print(f"Written to {path}; it works in every new shell.")
    return exits.OK
