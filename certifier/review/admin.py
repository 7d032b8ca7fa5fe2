from __future__ import annotations

from django.contrib import admin

from certifier.audit.admin import ReadOnlyAdmin

from .models import SignOff


@admin.register(SignOff)
class SignOffAdmin(ReadOnlyAdmin):
    list_display = ["at", "run", "system", "stage", "action", "by_name", "comment"]
    list_filter = ["stage", "action", "system"]
    search_fields = ["=run__number", "by_name", "comment"]
    list_select_related = ["run", "system"]
