"""The way into every command and out of it: one place where errors become sentences and exit codes."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from mystira.cli import exits
from mystira.cli.commands import app

if TYPE_CHECKING:
    from mystira.cli.refusals import Refusal

_SIGPIPE: Final = 141
"""What a shell reports of a program whose reader has gone away."""


def run(tokens: Sequence[str]) -> int:
    """Run a command; returns its exit code. Nothing that is expected to go wrong shows a traceback."""
    try:
        code = _call(tokens)
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes once more at its end, and would complain about the same pipe again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _SIGPIPE
    return code


def _call(tokens: Sequence[str]) -> int:
    try:
        code = app(list(tokens), result_action="return_value")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else exits.USAGE
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return exits.INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  # every way out of a command is here
        # The engine's errors bring the engine along, and help is to come at once.
        from mystira.cli.refusals import explain  # noqa: PLC0415

        refusal = explain(error)
        if refusal is None:
            traceback.print_exception(error)
            return exits.DEFECT
        return _refuse(refusal, as_json="--json" in tokens)
    return code if isinstance(code, int) else exits.OK


def _refuse(refusal: "Refusal", *, as_json: bool) -> int:
    for line in refusal.lines:
        print(line, file=sys.stderr)
    if as_json:
        document = {
            "error": {"code": refusal.code, "message": refusal.lines[0], "reasons": refusal.lines[1:]}
        }
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    return refusal.exit_code
