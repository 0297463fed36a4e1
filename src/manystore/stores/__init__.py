"""The stores: one small protocol (`store.py`), one file or small room a product, one contract suite."""
