"""The page of this room: where runs come from, how far each source has been read, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.ops.models import LIVE, Job

from . import services
from .errors import BadSource
from .models import Cursor, Outcome, Pass
from .sources import Source, configured, source_named

PER_PAGE: Final = 20
MARKS: Final = {Outcome.DONE: "good", Outcome.REFUSED: "unsure", Outcome.FAILED: "bad"}


@dataclass(frozen=True)
class Row:
    """A source, how far it has been read, what came of the last pass that was kept, and a job of it that lives."""

    source: Source
    cursor: Cursor | None
    last: Pass | None
    job: Job | None

    @property
    def mark(self) -> str:
        return MARKS[Outcome(self.last.outcome)] if self.last else "unseen"


@dataclass(frozen=True)
class Said:
    """A pass as a line of the list."""

    row: Pass

    @property
    def mark(self) -> str:
        return MARKS[Outcome(self.row.outcome)]

    @property
    def brought(self) -> str:
        return services.words_of(self.row.counts)


@never_cache
@require_safe
def sources(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    context: dict[str, Any] = {"may_follow": permissions.can_write_runs(request.user)}
    try:
        context["rows"] = _rows(list(configured().values()))
    except BadSource as error:
        context["bad"] = error.message
    page = Paginator(Pass.objects.all(), PER_PAGE).get_page(request.GET.get("page"))
    context |= {"page": page, "passes": [Said(row) for row in page]}
    return render(request, "sync/sources.html", context)


def _rows(known: list[Source]) -> list[Row]:
    names = [source.name for source in known]
    cursors = Cursor.objects.in_bulk(names)
    # The newest of each: few sources, and an index that holds the answer.
    last = {name: Pass.objects.filter(source=name).first() for name in names}
    live = {
        row.arguments.get("source"): row for row in Job.objects.filter(kind=services.KIND, state__in=LIVE).order_by()
    }
    return [Row(source, cursors.get(source.name), last[source.name], live.get(source.name)) for source in known]


@require_POST
def follow(request: HttpRequest, name: str) -> HttpResponse:
    source = source_named(name)
    job = services.ask(actor=cast("User", request.user), source=source)
    messages.success(request, f"Job {job.pk} reads {source.name} as soon as a worker has time.")
    return redirect("sync:sources")
