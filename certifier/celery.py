"""The Celery application: folder broker by default, Redis when REDIS_URL is set."""

from __future__ import annotations

import os

from celery import Celery
from kombu.entity import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from certifier.schedule import QUEUES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "certifier.settings")

# kombu's own "filesystem" transport lets a reader take a message that is still being written (decision 0003).
TRANSPORT_ALIASES["folder"] = "certifier.ops.folder_transport:Transport"

app = Celery("certifier")
app.config_from_object("django.conf:settings", namespace="CELERY")
# Each queue has its own key: queues that share one would each get a copy of every message.
app.conf.task_queues = [Queue(name, Exchange("certifier", type="direct"), routing_key=name) for name in QUEUES]
app.conf.task_default_exchange = "certifier"
app.conf.task_default_routing_key = QUEUES[0]
app.autodiscover_tasks()
