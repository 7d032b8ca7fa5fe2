"""What /metrics shows of this room."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count

from certifier.ops.metrics import Sample, figure
from certifier.runs.models import ChangeCounter

from .models import GoodRunList, Origin, SummaryWatermark


@figure("certifier_good_run_lists", "Good-run lists by origin.")
def good_run_lists() -> Iterator[Sample]:
    counts = dict(GoodRunList.objects.order_by().values_list("origin").annotate(count=Count("pk")))
    for origin in Origin.values:
        yield Sample({"origin": origin}, counts.get(origin, 0))


@figure("certifier_summaries_behind_changes", "Changes that are not yet in the run summaries.")
def summaries_behind() -> Iterator[Sample]:
    newest = ChangeCounter.objects.filter(pk=1).values_list("value", flat=True).first() or 0
    seen = SummaryWatermark.objects.filter(pk=1).values_list("sequence", flat=True).first() or 0
    yield Sample({}, max(newest - seen, 0))
