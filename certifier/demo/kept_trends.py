"""Trends that people of the demo keep. One is watched from the first run on, and some runs left its band."""

from __future__ import annotations

from collections.abc import Mapping

from certifier.accounts.models import User
from certifier.trends import services as trends
from certifier.trends.drawing import Asked
from certifier.trends.services import Kept

KEPT = (
    ("chi", Kept("Efficiency of data taking"), Asked("recorded / delivered : start : pileup", where="run > 350000")),
    ("ada", Kept("What the model of LAR says", is_watched=True), Asked("score.LAR : start : open")),
    ("oli", Kept("Vertex along the beam"), Asked("mean.InnerDetector_vertexZ : start : pileup")),
)


def keep(users: Mapping[str, User]) -> None:
    """Before there are runs: a watch begins with the next one."""
    for name, kept, asked in KEPT:
        trends.save(actor=users[name], asked=asked, kept=kept)
