"""Periodic work of REST."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from .models import IdempotencyRecord

KEPT = timedelta(days=7)


@shared_task(name="api.forget_idempotency_keys")
def forget_idempotency_keys() -> int:
    """Forget answers older than a week: whoever repeats a request does so sooner. Returns their number."""
    deleted, _ = IdempotencyRecord.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    return deleted
