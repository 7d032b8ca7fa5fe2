"""What is chosen by chance, so that nobody can choose it: the blind audit, and the findings it hides among.

Everything follows from a keyed hash of system, run and lumisection. Whoever has the installation's SECRET_KEY can check
later that each sample was taken and no other; without the key nobody can tell which will be.

1. A run is cut into pieces of 4 to 16 lumisections, at places that depend on the key alone: not on any verdict.
2. Each piece is chosen with a probability of REVIEW_AUDIT_SHARE. Of a chosen piece an expert looks at whatever was
   called good, without being told so. A finding called bad belongs to the piece in which it begins.
3. Of a share REVIEW_WHOLE_SHARE of the runs every piece is chosen: such a run is looked at as a whole, and so is a fair
   sample of what is taken. What a model promises is measured on such runs, and on those that were signed by hand.
4. REVIEW_BLIND_SHARE of all other findings are shown without their verdict as well, and each with the good lumisections
   of its pieces, so that an item without a verdict may be good, bad or unsure, and looks like any other.

So a lumisection with an automatic verdict is audited with the same probability whatever the verdict, and weights of
1 / probability make estimates unbiased.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from typing import Final

from django.conf import settings

from certifier.lumi import LumiSet

SHORTEST, LENGTHS = 4, 13
WORD: Final = 2**64


def _key() -> bytes:
    """Not SECRET_KEY itself: what signs sessions signs nothing else."""
    return hmac.digest(settings.SECRET_KEY.encode(), b"certifier.review.sampling", "sha256")


def chance() -> float:
    """With which probability a lumisection is sent to the audit: by its piece, or with its run."""
    whole: float = settings.REVIEW_WHOLE_SHARE
    return whole + (1 - whole) * settings.REVIEW_AUDIT_SHARE


class Sampler:
    """The choices for one system and run."""

    def __init__(self, system: str, run: int) -> None:
        self._base = hmac.new(_key(), f"{system}:{run}".encode(), hashlib.sha256)

    def _number(self, purpose: str, place: int) -> int:
        digest = self._base.copy()
        digest.update(f":{purpose}:{place}".encode())
        return int.from_bytes(digest.digest()[:8], "big")

    def pieces(self, last: int) -> Iterator[LumiSet]:
        """Lumisections 1 to `last` cut into pieces; a longer run has the same pieces and more."""
        first, number = 1, 0
        while first <= last:
            end = first + SHORTEST - 1 + self._number("cut", number) % LENGTHS
            yield LumiSet.from_ranges([(first, min(end, last))])
            first, number = end + 1, number + 1

    @property
    def is_whole(self) -> bool:
        """Whether experts look at all of this run."""
        return self._number("whole", 0) < settings.REVIEW_WHOLE_SHARE * WORD

    def is_audited(self, piece: LumiSet) -> bool:
        """Whether an expert looks at what was decided about this piece without one."""
        return self.is_whole or self._number("audit", piece.first or 0) < settings.REVIEW_AUDIT_SHARE * WORD

    def audited(self, last: int) -> LumiSet:
        """The lumisections of all chosen pieces."""
        chosen = LumiSet()
        for piece in self.pieces(last):
            if self.is_audited(piece):
                chosen |= piece
        return chosen

    def is_blind(self, lumisections: LumiSet) -> bool:
        """Whether a finding is shown without its verdict although it is no audit sample."""
        return self._number("blind", lumisections.first or 0) < settings.REVIEW_BLIND_SHARE * WORD
