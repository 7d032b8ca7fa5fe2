from __future__ import annotations

from django.contrib import admin

from certifier.audit.admin import ReadOnlyAdmin

from .models import GoodRunList, GoodRunListRun, ListDocument, ListLoss, ListLuminosity, RunSummary


@admin.register(GoodRunList)
class GoodRunListAdmin(ReadOnlyAdmin):
    list_display = ["name", "origin", "tag", "run_count", "lumisection_count", "created_by", "created_at"]
    list_filter = ["origin"]
    search_fields = ["name", "sha256"]
    list_select_related = ["tag", "created_by"]


@admin.register(GoodRunListRun)
class GoodRunListRunAdmin(ReadOnlyAdmin):
    list_display = ["list", "run_number", "lumisections"]
    search_fields = ["=run_number", "list__name"]
    list_select_related = ["list"]


@admin.register(ListLuminosity)
class ListLuminosityAdmin(ReadOnlyAdmin):
    list_display = ["list", "recorded_inv_nb", "recorded_lumisections", "sequence", "refreshed_at"]
    list_select_related = ["list"]


@admin.register(ListLoss)
class ListLossAdmin(ReadOnlyAdmin):
    list_display = ["list", "sequence", "refreshed_at"]
    list_select_related = ["list"]


@admin.register(ListDocument)
class ListDocumentAdmin(ReadOnlyAdmin):
    list_display = ["name", "list", "sha256", "created_at"]
    list_select_related = ["list"]


@admin.register(RunSummary)
class RunSummaryAdmin(ReadOnlyAdmin):
    list_display = ["run", "required", "good_inv_nb", "defect_count", "open_systems", "sequence", "refreshed_at"]
    search_fields = ["=run__number"]
    list_select_related = ["run"]
