"""Randomness by purpose: one more draw for one of them shifts none of the others."""

import random


class Streams:
    """Sources of random numbers, each decided by the seed and its own name alone."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._made: dict[str, random.Random] = {}

    def stream(self, name: str) -> random.Random:
        """The source of that name, where it was left."""
        if name not in self._made:
            self._made[name] = random.Random(f"{self.seed}/{name}")  # noqa: S311 - to be repeated, not to be guessed
        return self._made[name]
