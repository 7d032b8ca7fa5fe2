"""The writes of this room: asking for a comparison, or for a map of runs."""

from __future__ import annotations

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.ops import jobs
from certifier.ops.models import Job
from certifier.runs.selectors import find_run

from .selectors import KIND, RUN_MAP, SAMPLES, key_of, key_of_map, key_of_samples


def ask(*, actor: User, defect: str = "", element: str = "") -> Job:
    """Let a worker compare; whoever may read. A job that waits or runs already stays."""
    permissions.require(permissions.can_view(actor))
    arguments = {"defect": defect} if defect else {"element": element}
    return jobs.start(KIND, key=key_of(defect=defect, element=element), arguments=arguments, actor=actor)


def ask_for_samples(*, actor: User, run: int, against: int, system: str = "", element: str = "") -> Job:
    """Let a worker say whether a run is like another one, by the elements of a system or by one; whoever may read.

    Raises RunNotFound.
    """
    permissions.require(permissions.can_view(actor))
    arguments = {"run": find_run(run).number, "against": find_run(against).number, "system": system, "element": element}
    key = key_of_samples(run=run, against=against, system=system, element=element)
    return jobs.start(SAMPLES, key=key, arguments=arguments, actor=actor)


def ask_for_map(*, actor: User, system: System) -> Job:
    """Let a worker lay out the runs of a system; whoever may draw maps. A job that waits or runs already stays."""
    permissions.require(permissions.can_draw_maps(actor))
    return jobs.start(RUN_MAP, key=key_of_map(system), arguments={"system": system.code}, actor=actor)
