"""The admin site shows this room and changes nothing."""

from __future__ import annotations

from django.contrib import admin

from certifier.audit.admin import ReadOnlyAdmin

from .models import Element, Part


@admin.register(Element)
class ElementAdmin(ReadOnlyAdmin):
    list_display = ["path", "system", "physics_object", "created_at"]
    list_filter = ["system", "physics_object"]
    list_select_related = ["system"]
    search_fields = ["path"]


@admin.register(Part)
class PartAdmin(ReadOnlyAdmin):
    list_display = ["id", "element", "dataset", "histograms", "file", "row_group", "at"]
    list_select_related = ["element", "dataset__run"]
    search_fields = ["element__path", "=dataset__run__number", "file"]
