from __future__ import annotations

from django.contrib import admin

from certifier.audit.admin import ReadOnlyAdmin

from .models import Heartbeat, Job


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = [
        "id",
        "kind",
        "key",
        "queue",
        "state",
        "requested_by",
        "queued_at",
        "finished_at",
        "acknowledged_at",
    ]
    list_filter = ["state", "queue", "kind"]
    search_fields = ["key"]


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["name", "at"]
