from __future__ import annotations

from django.contrib import admin

from certifier.audit.admin import ReadOnlyAdmin

from .models import Checklist, Claim, Decision, Item, Pull, Remark, ShiftNote, SignOff


@admin.register(SignOff)
class SignOffAdmin(ReadOnlyAdmin):
    list_display = ["at", "run", "system", "stage", "action", "by_name", "comment"]
    list_filter = ["stage", "action", "system"]
    search_fields = ["=run__number", "by_name", "comment"]
    list_select_related = ["run", "system"]


@admin.register(Checklist)
class ChecklistAdmin(ReadOnlyAdmin):
    list_display = ["at", "system", "stage", "number", "by_name", "points"]
    list_filter = ["stage", "system"]
    list_select_related = ["system"]


@admin.register(ShiftNote)
class ShiftNoteAdmin(ReadOnlyAdmin):
    list_display = ["at", "by_name", "text"]
    search_fields = ["by_name", "text"]


@admin.register(Item)
class ItemAdmin(ReadOnlyAdmin):
    # Neither kind nor verdict: who looks here may have to decide it.
    list_display = ["id", "system", "run", "lumisections", "state", "since"]
    list_filter = ["state", "system"]
    search_fields = ["=run__number"]
    list_select_related = ["run", "system"]
    fields = ["system", "run", "lumisections", "state", "since", "created_at", "came_from", "what_changed"]


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = ["at", "item", "answer", "good", "bad", "by_name", "comment"]
    list_filter = ["answer"]
    search_fields = ["=item__run__number", "by_name", "comment"]
    list_select_related = ["item"]


@admin.register(Claim)
class ClaimAdmin(ReadOnlyAdmin):
    list_display = ["item", "by_name", "at", "until"]
    list_select_related = ["item"]


@admin.register(Remark)
class RemarkAdmin(ReadOnlyAdmin):
    list_display = ["at", "item", "kind", "by_name", "text"]
    list_filter = ["kind"]
    list_select_related = ["item"]


@admin.register(Pull)
class PullAdmin(ReadOnlyAdmin):
    list_display = ["at", "system", "run", "scoring", "opened", "superseded"]
    list_filter = ["system"]
    list_select_related = ["run", "system", "scoring"]
