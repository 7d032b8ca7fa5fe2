"""Background work of this room: comparisons and maps. Their results are what the pages show."""

from __future__ import annotations

from typing import Any

from certifier.ops.jobs import JobHandle, background

from .selectors import KIND, RUN_MAP, SAMPLES


@background(KIND)
def compare(job: JobHandle, *, defect: str = "", element: str = "") -> dict[str, Any]:
    """Harmless to repeat: it reads, and writes nothing but the result of the job."""
    # A worker learns to compare when it has to: what compares takes a second to load, and memory from then on.
    from . import computing

    if defect:
        return computing.of_defect(defect, job.progress)
    return computing.of_element(element, job.progress)


@background(SAMPLES)
def samples(job: JobHandle, *, run: int, against: int, system: str = "", element: str = "") -> dict[str, Any]:
    """Harmless to repeat, as above."""
    from .samples import compare_runs

    return compare_runs(run, against, system, element, job.progress)


@background(RUN_MAP)
def run_map(job: JobHandle, *, system: str) -> dict[str, Any]:
    """Harmless to repeat, as above."""
    from .run_map import map_of_runs

    return map_of_runs(system, job.progress)
