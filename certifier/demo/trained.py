"""What the champions of the months before say of the demo's own runs."""

from __future__ import annotations

from certifier.precert.scoring import Scorer
from certifier.precert.unscored import unscored


def score_runs() -> None:
    """Whatever a version that is asked has not seen; nothing the second time."""
    scorer = Scorer()
    for each in sorted(unscored(), key=lambda each: each.version.pk):
        scorer.score(each.version, each.dataset)
