"""Health endpoints that tell the truth: /healthz (this process), /readyz (everything it needs), /metrics."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import Error as DjangoDatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError as BrokerError

from certifier.celery import app

from . import metrics
from .heartbeats import queue_health

logger = logging.getLogger(__name__)

BROKER_PATIENCE_S = 2


class Check(NamedTuple):
    name: str
    good: bool
    words: str


def bad(name: str, words: str, reason: Exception) -> Check:
    """The reason goes to the log, not into the answer: anybody may ask, and it can name hosts and accounts."""
    logger.warning("not well: %s: %s (%s)", name, words, reason)
    return Check(name, False, f"{words} The log says why.")


def database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DjangoDatabaseError as error:
        return bad("database", "The database does not answer.", error)
    return Check("database", True, f"The database ({connection.vendor}) answers.")


def migrations() -> Check:
    plan = MigrationExecutor(connection)
    missing = len(plan.migration_plan(plan.loader.graph.leaf_nodes()))
    if missing:
        return Check("migrations", False, f"{missing} migrations are not applied: run manage.py migrate.")
    return Check("migrations", True, "All migrations are applied.")


def storage() -> Check:
    name = f"health/{uuid.uuid4().hex}"
    try:
        default_storage.delete(default_storage.save(name, ContentFile(b"written to see whether it can be")))
    except OSError as error:
        return bad("storage", "Files cannot be stored.", error)
    return Check("storage", True, "Files can be stored.")


def broker() -> Check:
    kind = "Redis" if settings.REDIS_URL else "a folder"
    link = app.connection_for_write(connect_timeout=BROKER_PATIENCE_S)
    try:
        with link:
            link.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_PATIENCE_S)
            link.default_channel.queue_declare(queue=settings.QUEUES[0])
    except (BrokerError, *link.connection_errors, *link.channel_errors) as error:
        return bad("broker", f"The message broker ({kind}) does not answer.", error)
    return Check("broker", True, f"The message broker ({kind}) answers.")


def workers() -> list[Check]:
    return [Check(f"worker:{health.queue}", health.is_served, health.words) for health in queue_health()]


def look(*checks: Callable[[], Check]) -> list[Check]:
    """Every check in order. One that cannot be made because the database is gone fails in words, too."""
    found = []
    for check in checks:
        try:
            found.append(check())
        except DjangoDatabaseError as error:
            found.append(bad(check.__name__, "It cannot be looked at without the database.", error))
    try:
        found += workers()
    except DjangoDatabaseError as error:
        found.append(bad("workers", "They cannot be looked at without the database.", error))
    return found


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers and reaches the database: what a supervisor restarts a process for."""
    check = database()
    return JsonResponse(
        {"status": "good" if check.good else "bad", "checks": {check.name: check.words}},
        status=200 if check.good else 503,
    )


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Everything works, workers of every queue included: what a monitor is told. 503 when anything is amiss."""
    checks = look(database, migrations, storage, broker)
    good = all(check.good for check in checks)
    body = {
        "status": "good" if good else "bad",
        "checks": {check.name: {"status": "good" if check.good else "bad", "words": check.words} for check in checks},
    }
    return JsonResponse(body, status=200 if good else 503)


@never_cache
@require_safe
def metrics_page(request: HttpRequest) -> HttpResponse:
    """Prometheus text, for whoever has METRICS_KEY; without a key for this machine only."""
    if not may_read_metrics(request):
        return HttpResponse("The metrics need the bearer token METRICS_KEY.\n", status=403, content_type="text/plain")
    text, content_type = metrics.exposition()
    return HttpResponse(text, content_type=content_type)


def may_read_metrics(request: HttpRequest) -> bool:
    if settings.METRICS_KEY:
        given = request.headers.get("Authorization", "")
        return constant_time_compare(given, f"Bearer {settings.METRICS_KEY}")
    # Behind a proxy on this machine everybody's address is this machine's.
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    return request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"} and not forwarded


urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics_page, name="metrics"),
]
