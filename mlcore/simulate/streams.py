"""Named random streams from one seed: what one part of the world draws never changes what another draws.

Every stream is a child of `numpy.random.SeedSequence(seed)`, as `spawn` makes them, but with a key that comes from its
name instead of from the order of the calls. So a run can be drawn alone, in any order, and comes out the same; and a
new part of the simulation does not disturb the old ones.
"""

from __future__ import annotations

import hashlib

import numpy as np

from mlcore.errors import MlcoreError


class Streams:
    """Random generators by name: `Streams(7).of("year", "fills")` is always the same stream."""

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise MlcoreError(f"a seed is a whole number from 0; {seed} is not.")
        self.seed = int(seed)

    def of(self, *names: str | int) -> np.random.Generator:
        """A fresh generator for this name, at the start of its stream."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=_key(names)))


def _key(names: tuple[str | int, ...]) -> tuple[int, ...]:
    """Four 32-bit words of a hash of the names; types are told apart, so that 1 and "1" are different streams."""
    text = "\x1f".join(f"{type(name).__name__}:{name}" for name in names)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return tuple(int.from_bytes(digest[place : place + 4], "little") for place in range(0, 16, 4))
