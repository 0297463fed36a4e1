"""How sign-ups and sign-ins lie in the tables."""

from typing import Final

from manystore.stores.postgres import Mapping
from mystira.domain.signing_in.kind import PENDING_SIGNUPS, SIGN_INS
from mystira.schema.mappings.naming import columns_by_name
from mystira.schema.tables.signing_in import PENDING_SIGNUPS_TABLE, SIGN_INS_TABLE

PENDING_SIGNUPS_MAPPING: Final = Mapping(
    kind=PENDING_SIGNUPS,
    table=PENDING_SIGNUPS_TABLE,
    columns=columns_by_name(PENDING_SIGNUPS),
    constraints={
        "pending_signups_email_check": "email",
        "pending_signups_failed_attempts_check": "failedAttempts",
    },
)

SIGN_INS_MAPPING: Final = Mapping(
    kind=SIGN_INS,
    table=SIGN_INS_TABLE,
    columns=columns_by_name(SIGN_INS),
    constraints={"sign_ins_role_check": "role"},
)
