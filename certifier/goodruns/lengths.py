"""How many lumisections a run has, for files that leave the end of a run open."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from certifier.runs.models import Run


def length_of_run() -> Callable[[int], int | None]:
    """A function from run number to the number of lumisections, None where it is not known. It reads the runs once,
    when it is first asked: most files never ask.
    """

    @cache
    def lengths() -> dict[int, int]:
        return dict(Run.objects.filter(last_lumisection__gt=0).values_list("number", "last_lumisection"))

    return lambda run: lengths().get(run)
