"""Readers of the change log, each with a durable position of its own."""
