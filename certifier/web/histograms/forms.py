"""The filters of these pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from certifier.accounts.models import System
from certifier.monitoring.models import Element

NOBODY = "-"


class CatalogueForm(forms.Form):
    q = forms.CharField(required=False, label="path", max_length=200, widget=forms.TextInput(attrs={"data-search": ""}))
    system = forms.ChoiceField(required=False, label="system")

    def __init__(self, *args: Any, systems: list[System], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "all"), *((system.code, system.code) for system in systems), (NOBODY, "nobody's")]
        self.fields["system"].choices = choices  # type: ignore[attr-defined]

    def chosen(self, rows: QuerySet[Element]) -> QuerySet[Element]:
        text, system = self.cleaned_data["q"].strip(), self.cleaned_data["system"]
        if text:
            rows = rows.filter(path__icontains=text)
        if system:
            rows = rows.filter(system=None) if system == NOBODY else rows.filter(system__code=system)
        return rows
