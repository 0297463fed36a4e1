"""How purchases lie in the tables."""

from typing import Final

from manystore.stores.postgres import Mapping
from mystira.domain.purchases.kind import PURCHASES
from mystira.schema.mappings.naming import columns_by_name
from mystira.schema.tables.purchases import PURCHASES_TABLE

PURCHASES_MAPPING: Final = Mapping(kind=PURCHASES, table=PURCHASES_TABLE, columns=columns_by_name(PURCHASES))
