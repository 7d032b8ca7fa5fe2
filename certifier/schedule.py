"""The one list of periodic work. Celery beat reads it; there is no other schedule."""

from __future__ import annotations

from celery.schedules import crontab

SCHEDULE = {
    "ops: a worker says that it lives": {"task": "ops.heartbeat", "schedule": 20.0, "options": {"expires": 60}},
    "ops: find jobs whose worker died": {"task": "ops.sweep_jobs", "schedule": 60.0, "options": {"expires": 60}},
    "goodruns: bring run summaries up to date": {
        "task": "goodruns.refresh_summaries",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "api: forget old idempotency keys": {"task": "api.forget_idempotency_keys", "schedule": crontab(hour="3", minute="10")},
}
