"""Profiles: the people (and figures) who play under an account, and the badges that they have earned."""
