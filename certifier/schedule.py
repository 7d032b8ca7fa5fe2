"""The one list of periodic work. Celery beat reads it; there is no other schedule."""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

QUEUES = ("default", "score", "train")

HEARTBEAT_EVERY_S = 20
# A heartbeat that waited longer says nothing about now; workers throw it away. `ops.jobs` relies on it.
HEARTBEAT_EXPIRES_S = 60

SCHEDULE: dict[str, dict[str, Any]] = {
    **{
        f"ops: the workers of {queue} say that they live": {
            "task": "ops.heartbeat",
            "schedule": float(HEARTBEAT_EVERY_S),
            "options": {"queue": queue, "expires": HEARTBEAT_EXPIRES_S},
        }
        for queue in QUEUES
    },
    "ops: find jobs whose worker died": {
        "task": "ops.sweep_jobs",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "goodruns: bring run summaries up to date": {
        "task": "goodruns.refresh_summaries",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "precert: find what no model has scored": {
        "task": "precert.find_unscored",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "review: bring the queue up to what models say": {
        "task": "review.find_items",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "watch: look at what the audit says": {
        "task": "watch.find_due",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "notices: tell people what is new": {
        "task": "notices.find",
        "schedule": 30.0,
        "options": {"expires": 30},
    },
    "sync: bring runs into step with their sources": {
        "task": "sync.follow_all",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "trends: raise alarms where a trend left its band": {
        "task": "trends.look",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "training: learn from what people decided": {
        "task": "training.weekly",
        "schedule": crontab(day_of_week="mon", hour="2", minute="30"),
    },
    "api: forget old idempotency keys": {
        "task": "api.forget_idempotency_keys",
        "schedule": crontab(hour="3", minute="10"),
    },
}
