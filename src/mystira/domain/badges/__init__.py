"""Badges: what can be earned, when it is, and how far it is to the next."""
