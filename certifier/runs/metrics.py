"""What /metrics shows of this room."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Sum

from certifier.ops.metrics import Sample, figure

from .models import Run


@figure("certifier_runs", "Runs in the database.")
def runs() -> Iterator[Sample]:
    yield Sample({}, Run.objects.count())


@figure("certifier_lumisections", "Lumisections of all runs.")
def lumisections() -> Iterator[Sample]:
    yield Sample({}, Run.objects.aggregate(total=Sum("last_lumisection"))["total"] or 0)
