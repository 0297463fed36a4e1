"""Names and literals as SQL spells them; everything else in a statement is a parameter."""

import sqlalchemy as sa


def quoted(name: str) -> str:
    """An identifier, whatever letters it has."""
    return '"' + name.replace('"', '""') + '"'


def quoted_table(table: sa.Table) -> str:
    """A table's name with its schema, if it has one."""
    return f"{quoted(table.schema)}.{quoted(table.name)}" if table.schema else quoted(table.name)


def literal(text: str) -> str:
    """A text constant, where SQL takes no parameter: definitions of triggers, conditions of indexes."""
    return "'" + text.replace("'", "''") + "'"
