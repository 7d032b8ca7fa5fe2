"""The admin site shows this room and changes nothing. (Lumisections have a composite key, which it cannot show.)"""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from certifier.audit.admin import ReadOnlyAdmin

from .models import Change, ConditionFlag, Dataset, ReferenceRun, Run, RunProfile


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    list_display = [
        "number",
        "last_lumisection",
        "project",
        "period",
        "fill",
        "started_at",
        "beam",
        "version",
        "updated_at",
    ]
    list_filter = ["project", "period", "beam"]
    search_fields = ["=number", "=fill"]


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    list_display = ["run", "name", "stage", "created_at"]
    list_filter = ["stage"]
    list_select_related = ["run"]
    search_fields = ["=run__number", "name"]


@admin.register(ConditionFlag)
class ConditionFlagAdmin(ReadOnlyAdmin):
    list_display = ["run", "name", "lumisections"]
    list_select_related = ["run"]
    search_fields = ["=run__number", "name"]


@admin.register(RunProfile)
class RunProfileAdmin(ReadOnlyAdmin):
    list_display = ["run", "length", "delivered_inv_nb", "recorded_inv_nb"]
    list_select_related = ["run"]
    exclude = ["columns"]
    search_fields = ["=run__number"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[RunProfile]:
        return super().get_queryset(request).defer("columns")


@admin.register(ReferenceRun)
class ReferenceRunAdmin(ReadOnlyAdmin):
    list_display = ["run_number", "position", "reference_number", "source"]
    search_fields = ["=run_number", "=reference_number"]


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ["sequence", "at", "kind", "run", "by"]
    list_filter = ["kind"]
    search_fields = ["=run", "by"]
