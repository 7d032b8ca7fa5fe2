"""Pages of background work: the list, one job, and what a coordinator does about it."""

from __future__ import annotations

import json
from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import User

from . import services
from .heartbeats import queue_health
from .models import LIVE, Job, JobState

PAGE_SIZE = 50
# What a page that is looked at asks again for, and how often (seconds).
LIST_EVERY_S = 10
JOB_EVERY_S = 2
FAILURES = Q(state__in=[JobState.FAILED, JobState.LOST], acknowledged_at=None)

# The tabs: what each shows. "open" is what somebody has to look at.
TABS: dict[str, tuple[str, Q]] = {
    "": ("all", Q()),
    "live": ("waiting and running", Q(state__in=LIVE)),
    "open": ("failures not seen", FAILURES),
    "done": ("done", Q(state=JobState.DONE)),
    "failed": ("all failures", Q(state__in=[JobState.FAILED, JobState.LOST])),
}


@never_cache
@require_safe
def jobs(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    state = request.GET.get("state", "")
    state = state if state in TABS else ""
    rows = Job.objects.filter(TABS[state][1]).select_related("requested_by").defer("error", "result", "arguments")
    queues = queue_health()
    context: dict[str, Any] = {
        "page": Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page")),
        "state": state,
        "tabs": tabs(state),
        "queues": queues,
        "unserved": [health for health in queues if not health.is_served],
        "every": LIST_EVERY_S,
    }
    return part_or_page(request, "jobs", "ops/_jobs.html", "ops/jobs.html", context)


def tabs(current: str) -> list[dict[str, Any]]:
    counts = Job.objects.aggregate(**{f"count_{key}": Count("pk", filter=q) for key, (_, q) in TABS.items() if key})
    return [
        {
            "name": name,
            "url": f"?state={key}" if key else "?",
            "current": key == current,
            "count": counts.get(f"count_{key}"),
        }
        for key, (name, _) in TABS.items()
    ]


@never_cache
@require_safe
def job(request: HttpRequest, pk: int) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    row = get_object_or_404(Job.objects.select_related("requested_by"), pk=pk)
    context = {
        "job": row,
        "facts": facts_of(row),
        "live": row.state in LIVE,
        "failed": row.state in (JobState.FAILED, JobState.LOST),
        "percent": round(row.progress * 100),
        "percent_text": f"{row.progress:.0%}",
        "arguments": in_print(row.arguments),
        "result": in_print(row.result),
        "unserved": why_it_waits(row),
        "newer": Job.objects.filter(key=row.key, pk__gt=row.pk).order_by("pk").first(),
        "may_manage": permissions.can_manage_jobs(request.user),
        "every": JOB_EVERY_S,
    }
    return part_or_page(request, "job", "ops/_job.html", "ops/job.html", context)


def why_it_waits(row: Job) -> str:
    """Where a job waits because nobody serves its queue: that, in words; else empty."""
    if row.state != JobState.QUEUED:
        return ""
    return next((health.words for health in queue_health() if health.queue == row.queue and not health.is_served), "")


def facts_of(row: Job) -> list[tuple[str, str]]:
    asked = row.requested_by.get_username() if row.requested_by else row.get_trigger_display()
    return [("work", row.kind), ("queue", row.queue), ("asked by", asked)]


def in_print(value: Any) -> str:
    """JSON as people read it; empty where there is nothing to read."""
    return json.dumps(value, indent=2, ensure_ascii=False) if value not in (None, {}, []) else ""


@require_POST
def start_again(request: HttpRequest, pk: int) -> HttpResponse:
    again = services.start_job_again(actor=cast("User", request.user), job=get_object_or_404(Job, pk=pk))
    messages.success(request, f"The work was asked for again, as job {again.pk}.")
    return redirect("ops:job", again.pk)


@require_POST
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    row = services.acknowledge_job(actor=cast("User", request.user), job=get_object_or_404(Job, pk=pk))
    messages.success(request, f"Job {row.pk} is acknowledged.")
    return redirect("ops:job", row.pk)


def part_or_page(request: HttpRequest, element: str, part: str, whole: str, context: dict[str, Any]) -> HttpResponse:
    """The element alone when htmx asks for it, else the page that includes it."""
    htmx = request.htmx  # type: ignore[attr-defined]  # set by the middleware of django-htmx
    alone = bool(htmx) and htmx.target == element and not htmx.history_restore_request
    response = render(request, part if alone else whole, context)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response
