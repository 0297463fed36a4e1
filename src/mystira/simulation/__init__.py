"""Families that do not exist: their data, and what they do, for demonstrations and tests."""
