"""The admin site shows this room and changes nothing."""

from __future__ import annotations

from django.contrib import admin

from certifier.audit.admin import ReadOnlyAdmin

from .models import LeftOut, Pause, RecipeChoice, Training


@admin.register(Training)
class TrainingAdmin(ReadOnlyAdmin):
    list_display = ["system", "number", "outcome", "challenger", "champion", "took_s", "by_name", "at"]
    list_filter = ["system", "outcome"]
    list_select_related = ["system", "challenger__system", "champion__system"]


@admin.register(Pause)
class PauseAdmin(ReadOnlyAdmin):
    list_display = ["system", "number", "is_paused", "by_name", "at", "reason"]
    list_filter = ["system", "is_paused"]
    list_select_related = ["system"]


@admin.register(RecipeChoice)
class RecipeChoiceAdmin(ReadOnlyAdmin):
    list_display = ["system", "number", "recipe", "by_name", "at", "reason"]
    list_filter = ["system", "recipe"]
    list_select_related = ["system"]


@admin.register(LeftOut)
class LeftOutAdmin(ReadOnlyAdmin):
    list_display = ["system", "number", "first_run", "last_run", "is_left_out", "by_name", "at", "reason"]
    list_filter = ["system", "is_left_out"]
    list_select_related = ["system"]
