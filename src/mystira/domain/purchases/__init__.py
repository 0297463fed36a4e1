"""Buying bundles: reserve, charge, grant; each step written down, each undone where a later one fails."""
