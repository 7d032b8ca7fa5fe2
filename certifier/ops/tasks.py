"""What workers run: jobs (`ops.perform`, registered by the import), heartbeats and the sweep."""

from __future__ import annotations

from typing import Any

from celery import Task, shared_task
from celery.signals import worker_ready
from django.db import connection

from . import jobs
from .heartbeats import beat


@shared_task(name="ops.heartbeat", bind=True)
def heartbeat(self: Task) -> None:
    """Whoever takes this from a queue serves that queue. The queue is read from the delivery, not from an argument."""
    beat(self.request.delivery_info["routing_key"], arrived=True)


@shared_task(name="ops.sweep_jobs")
def sweep_jobs() -> dict[str, int]:
    return jobs.sweep()


@worker_ready.connect
def say_that_the_worker_is_there(sender: Any, **_: Any) -> None:
    """At once, not only when the first heartbeat of the schedule arrives."""
    for queue in sender.task_consumer.queues:
        beat(queue.name)
    # This process only hands work out; its children must not inherit a connection.
    connection.close()
