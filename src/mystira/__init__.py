"""Mystira: an interactive-story game for families, on the engine `manystore`."""
