"""What /metrics shows of this room."""

from __future__ import annotations

from collections.abc import Iterator

from certifier.ops.metrics import Sample, figure

from .models import Entry


@figure("certifier_defect_entries", "Defect entries.")
def entries() -> Iterator[Sample]:
    yield Sample({}, Entry.objects.count())
