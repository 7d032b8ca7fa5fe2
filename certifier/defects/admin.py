from __future__ import annotations

from django.contrib import admin

from certifier.audit.admin import ReadOnlyAdmin

from .models import Defect, Definition, Entry, LogicVersion, Tag


@admin.register(Defect)
class DefectAdmin(ReadOnlyAdmin):
    list_display = ["name", "system", "expression", "intolerable"]
    list_filter = ["system", "intolerable"]
    search_fields = ["name", "description"]


@admin.register(LogicVersion)
class LogicVersionAdmin(ReadOnlyAdmin):
    list_display = ["number", "at", "by", "summary"]


@admin.register(Definition)
class DefinitionAdmin(ReadOnlyAdmin):
    list_display = ["name", "version", "system", "expression", "intolerable"]
    search_fields = ["name"]
    list_select_related = ["version", "system"]


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    list_display = ["id", "run", "defect", "lumisections", "present", "recoverable", "user", "entered_at", "source"]
    list_filter = ["source"]
    list_select_related = ["run", "defect"]
    search_fields = ["user", "comment"]
    # Counting a million rows for the foot of a page helps nobody.
    show_full_result_count = False


@admin.register(Tag)
class TagAdmin(ReadOnlyAdmin):
    list_display = ["name", "created_at", "entry_id", "logic", "runs", "created_by"]
    list_select_related = ["logic", "created_by"]
