"""How a command ended, as scripts see it. These numbers never change."""

from typing import Final

OK: Final = 0
"""Done, and the answer is yes."""
NO: Final = 1
"""Done or refused, and the answer is no: a step refused, differences found, a record lost, a check failed."""
USAGE: Final = 2
"""Not even begun: an option, a setting, the data folder or an address is wrong."""
UNAVAILABLE: Final = 3
"""No platform is running, or it cannot answer just now: the same command may succeed later."""
DEFECT: Final = 70
"""A mistake in Mystira itself; the traceback on standard error belongs in a report."""
INTERRUPTED: Final = 130
"""Stopped by Ctrl-C or SIGTERM."""
