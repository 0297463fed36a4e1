"""What the contract suite needs before its modules are imported."""

import pytest

pytest.register_assert_rewrite("manystore.testing.contract")
