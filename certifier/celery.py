"""The Celery application: filesystem broker by default, Redis when REDIS_URL is set."""

from __future__ import annotations

import os

from celery import Celery
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certifier.settings")

app = Celery("certifier")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue(name) for name in ("default", "score", "train")]
app.autodiscover_tasks()
