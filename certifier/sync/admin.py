"""The admin site shows this room and changes nothing."""

from __future__ import annotations

from django.contrib import admin

from certifier.audit.admin import ReadOnlyAdmin

from .models import Cursor, Pass


@admin.register(Cursor)
class CursorAdmin(ReadOnlyAdmin):
    list_display = ["source", "version", "looked_at", "held_until"]


@admin.register(Pass)
class PassAdmin(ReadOnlyAdmin):
    list_display = ["source", "outcome", "counts", "took_s", "by_name", "began_at"]
    list_filter = ["source", "outcome"]
