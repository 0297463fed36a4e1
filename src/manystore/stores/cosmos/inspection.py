"""What somebody who looks after a Cosmos DB account wants to know of it; reads only, and alters nothing."""

from typing import Final

from manystore.stores.cosmos.account import Account, Description

SUFFICIENT: Final = frozenset({"Strong", "BoundedStaleness"})
"""Levels at which an answer knows every write that was acknowledged before, whichever process made it.

At both, two replicas are asked and the newer answer counts, and a write is acknowledged once most replicas
have it. At the weaker levels a single replica answers, which may be behind: to a process, a fence that
another raised would not be there yet, nor would the last writes be below a head that is drained.
(Compare-and-set is right at every level, because ETags are compared where the write is made.)
"""

_PATIENCE: Final = 10.0


async def inspect(url: str, key: str) -> Description:
    """Ask the account. Raises UnavailableError."""
    account = Account(url, key, "", name="Cosmos DB", waits=1, longest_wait=_PATIENCE)
    return await account.describe(_PATIENCE)
