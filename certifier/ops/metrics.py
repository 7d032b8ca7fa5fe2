"""What /metrics shows: requests as they are answered, and the state of the world when somebody asks.

A room adds its own figures in its `metrics.py`, which is found by name:

    @figure("certifier_runs", "Runs in the database.")
    def runs() -> Iterator[Sample]:
        yield Sample({}, Run.objects.count())

With several web processes PROMETHEUS_MULTIPROC_DIR must name an empty folder when they start, else each answers for
itself (`manage.py serve` and the container do that).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from django.db.models import Count, Min
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from .heartbeats import queue_health
from .models import Job, JobState

REQUESTS = Counter("certifier_requests", "Requests answered.", ["route", "method", "status"])
SECONDS = Histogram(
    "certifier_request_seconds",
    "Time to answer a request.",
    ["route"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class Sample(NamedTuple):
    labels: dict[str, str]
    value: float


class Figure(NamedTuple):
    name: str
    words: str
    read: Callable[[], Iterable[Sample]]


FIGURES: list[Figure] = []


def figure(name: str, words: str) -> Callable[[Callable[[], Iterable[Sample]]], Callable[[], Iterable[Sample]]]:
    """Register a gauge that is read from the database when somebody asks."""

    def register(read: Callable[[], Iterable[Sample]]) -> Callable[[], Iterable[Sample]]:
        FIGURES.append(Figure(name, words, read))
        return read

    return register


@figure("certifier_jobs", "Jobs by state.")
def jobs_by_state() -> Iterator[Sample]:
    counts = dict(Job.objects.order_by().values_list("state").annotate(Count("pk")))
    for state in JobState.values:
        yield Sample({"state": state}, counts.get(state, 0))


@figure("certifier_queue_age_seconds", "Age of the oldest job that waits, by queue; 0 where none waits.")
def queue_age() -> Iterator[Sample]:
    waiting = Job.objects.filter(state=JobState.QUEUED).order_by()
    oldest = dict(waiting.values_list("queue").annotate(Min("queued_at")))
    for health in queue_health():
        since = oldest.get(health.queue)
        yield Sample({"queue": health.queue}, (timezone.now() - since).total_seconds() if since else 0.0)


@figure("certifier_heartbeat_age_seconds", "Time since a worker of the queue said that it lives; +Inf: never.")
def heartbeat_age() -> Iterator[Sample]:
    for health in queue_health():
        yield Sample({"queue": health.queue}, float("inf") if health.age_s is None else health.age_s)


class WorldCollector(Collector):
    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, words, read in FIGURES:
            samples = list(read())
            family = GaugeMetricFamily(name, words, labels=list(samples[0].labels) if samples else [])
            for labels, value in samples:
                family.add_metric(list(labels.values()), value)
            yield family


def exposition() -> tuple[bytes, str]:
    """Everything as Prometheus text, and its content type."""
    world = CollectorRegistry()
    world.register(WorldCollector())
    requests = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        requests = CollectorRegistry()
        MultiProcessCollector(requests)
    return generate_latest(requests) + generate_latest(world), CONTENT_TYPE_LATEST


class MetricsMiddleware:
    """Counts and times every request under the name of its route, so that a run's number never becomes a label."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        route = match.view_name or "unnamed" if match else "none"
        REQUESTS.labels(route, request.method or "", str(response.status_code)).inc()
        SECONDS.labels(route).observe(time.perf_counter() - began)
        return response
