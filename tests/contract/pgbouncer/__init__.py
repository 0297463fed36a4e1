"""What depends on sessions and transactions, where a pooler lends the first by the second."""
