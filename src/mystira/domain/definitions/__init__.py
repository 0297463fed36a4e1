"""Axes, archetypes, echo types, themes and age groups: the words that stories are made of."""
