"""How properties that have a column to themselves are called there."""

import re

from manystore.records import Kind

_CAPITAL = re.compile("([A-Z])")


def columns_by_name(kind: Kind) -> dict[str, str]:
    """Every property of the kind, with the column of the same name as SQL spells it: `gameSessionId` in
    `game_session_id`.
    """
    return {field.name: _CAPITAL.sub(r"_\1", field.name).lower() for field in kind.fields}
