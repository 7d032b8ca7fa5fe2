"""Background work of this room: one comparison. Its result is what the page shows."""

from __future__ import annotations

from typing import Any

from certifier.ops.jobs import JobHandle, background

from .selectors import KIND


@background(KIND)
def compare(job: JobHandle, *, defect: str = "", element: str = "") -> dict[str, Any]:
    """Harmless to repeat: it reads, and writes nothing but the result of the job."""
    # A worker learns to compare when it has to: what compares takes a second to load, and memory from then on.
    from . import computing

    if defect:
        return computing.of_defect(defect, job.progress)
    return computing.of_element(element, job.progress)
