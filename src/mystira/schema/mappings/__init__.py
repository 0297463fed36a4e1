"""How each kind lies in the tables: which property feeds which column, and whose fault a refusal is."""

from typing import Final

from mystira.schema.mappings.people import ACCOUNTS_MAPPING, USER_PROFILES_MAPPING

MAPPINGS: Final = (ACCOUNTS_MAPPING, USER_PROFILES_MAPPING)
"""Every kind that has a relational home, parents before their children."""
