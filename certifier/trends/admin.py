"""The admin site shows this room and changes nothing."""

from __future__ import annotations

from django.contrib import admin

from certifier.audit.admin import ReadOnlyAdmin

from .models import Alarm, Trend


@admin.register(Trend)
class TrendAdmin(ReadOnlyAdmin):
    list_display = ["name", "draw", "per", "is_watched", "by", "changed_at"]
    list_filter = ["is_watched", "per"]
    list_select_related = ["by"]


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    list_display = ["trend", "run", "value", "low", "high", "at"]
    list_select_related = ["trend", "run"]
