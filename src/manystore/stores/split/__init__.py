"""A store of two stores: some fields of a kind lie in one of them, the rest in the other, for good.

from manystore.stores.split import Split, SplitStore

profiles = Split(kind=USER_PROFILES, rest=("bio", "preferredThemes"))
store = SplitStore(postgres, documents, [profiles], name="split")
"""

from manystore.stores.split.declaration import POINTER, Split
from manystore.stores.split.store import SplitStore
from manystore.stores.split.sweeping import SweepPlace, Swept

__all__ = ["POINTER", "Split", "SplitStore", "SweepPlace", "Swept"]
