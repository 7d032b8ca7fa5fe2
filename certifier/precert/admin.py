"""The admin site shows this room and changes nothing."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from certifier.audit.admin import ReadOnlyAdmin

from .hiding import hidden_from
from .models import Finding, ModelVersion, Promotion, Scoring, SystemMode


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = ["system", "number", "kind", "fingerprint", "by_name", "at"]
    list_filter = ["system"]
    list_select_related = ["system"]
    search_fields = ["digest", "fingerprint"]


@admin.register(Promotion)
class PromotionAdmin(ReadOnlyAdmin):
    list_display = ["system", "number", "version", "state", "champion", "by_name", "at"]
    list_filter = ["system", "state"]
    list_select_related = ["system", "version__system", "champion__system"]


@admin.register(SystemMode)
class SystemModeAdmin(ReadOnlyAdmin):
    list_display = ["system", "number", "mode", "by_name", "at", "reason"]
    list_filter = ["system", "mode"]
    list_select_related = ["system"]


@admin.register(Scoring)
class ScoringAdmin(ReadOnlyAdmin):
    """Without those that reach into what is hidden from the person who looks; findings alike."""

    list_display = ["id", "version", "dataset", "last", "good", "bad", "unsure", "unscored", "at"]
    list_select_related = ["version__system", "dataset__run"]
    search_fields = ["=dataset__run__number"]
    exclude = ["packed"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Scoring]:
        return super().get_queryset(request).exclude(_hidden(request))


@admin.register(Finding)
class FindingAdmin(ReadOnlyAdmin):
    list_display = ["id", "scoring", "lumisections", "verdict", "suspected_defect", "score"]
    list_filter = ["verdict"]
    list_select_related = ["scoring"]
    search_fields = ["suspected_defect", "=scoring__dataset__run__number"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Finding]:
        return super().get_queryset(request).exclude(_hidden(request, "scoring__"))


def _hidden(request: HttpRequest, of: str = "") -> Q:
    """Every scoring of a run by models of a system of which something is hidden; `of` leads to the scoring."""
    found = Q(pk__in=[])
    for run, system in hidden_from(request.user):
        found |= Q(**{f"{of}dataset__run": run, f"{of}version__system": system})
    return found
