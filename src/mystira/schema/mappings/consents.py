"""How consents, and requests to be forgotten, lie in the tables."""

from typing import Final

from manystore.stores.postgres import Mapping
from mystira.domain.consents.kind import DELETION_REQUESTS, PARENTAL_CONSENTS
from mystira.schema.mappings.naming import columns_by_name
from mystira.schema.tables.consents import DELETION_REQUESTS_TABLE, PARENTAL_CONSENTS_TABLE

PARENTAL_CONSENTS_MAPPING: Final = Mapping(
    kind=PARENTAL_CONSENTS,
    table=PARENTAL_CONSENTS_TABLE,
    columns=columns_by_name(PARENTAL_CONSENTS),
    constraints={
        "parental_consents_parent_email_check": "parentEmail",
        "parental_consents_failed_attempts_check": "failedAttempts",
    },
)

DELETION_REQUESTS_MAPPING: Final = Mapping(
    kind=DELETION_REQUESTS,
    table=DELETION_REQUESTS_TABLE,
    columns=columns_by_name(DELETION_REQUESTS),
)
