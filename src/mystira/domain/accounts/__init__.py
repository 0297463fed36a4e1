"""Accounts: who signed up, with what settings, on which subscription, and what they have completed."""
