"""The form of a picture. It stands in the address, so that a picture can be sent to a colleague."""

from __future__ import annotations

import re
from typing import Any, Final

from django import forms

from .drawing import Asked
from .models import Per, Trend

ALIAS: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*=(?!=)\s*(.+)")
LINE: Final = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}


class DrawForm(forms.Form):
    draw = forms.CharField(
        label="draw",
        max_length=1000,
        help_text="y, or y : x, or y : x : colour. Each is a formula of the quantities named below.",
        widget=forms.TextInput(attrs=LINE | {"placeholder": "recorded / delivered : start : pileup"}),
    )
    where = forms.CharField(
        label="where",
        required=False,
        max_length=1000,
        help_text="Only rows of which this is true.",
        widget=forms.TextInput(attrs=LINE | {"placeholder": "duration > 600 && pileup > 20"}),
    )
    aliases = forms.CharField(
        label="aliases",
        required=False,
        max_length=4000,
        help_text="One a line: efficiency = recorded / delivered",
        widget=forms.Textarea(attrs=LINE | {"rows": 2}),
    )
    per = forms.ChoiceField(label="a point per", choices=Per.choices, required=False)
    runs = forms.CharField(
        label="runs",
        required=False,
        max_length=1000,
        help_text="Empty for the latest.",
        widget=forms.TextInput(attrs=LINE | {"placeholder": "358031-364292"}),
    )
    sigmas = forms.FloatField(label="band, standard deviations", required=False, min_value=0.1, max_value=100)
    floor = forms.FloatField(label="band, at least ±", required=False, min_value=0)
    curve = forms.BooleanField(label="a curve with its errors", required=False)

    def clean_aliases(self) -> dict[str, str]:
        found = {}
        for number, line in enumerate(self.cleaned_data["aliases"].splitlines(), start=1):
            if not line.strip():
                continue
            match = ALIAS.fullmatch(line)
            if match is None:
                raise forms.ValidationError(f"Line {number}: write name = formula.")
            found[match[1]] = match[2].strip()
        return found

    def asked(self) -> Asked:
        """What a valid form asks for."""
        given = self.cleaned_data
        return Asked(
            given["draw"], given["where"], given["aliases"], Per(given["per"] or Per.RUN), given["runs"],
            given["sigmas"] or 4.0, given["floor"] or 0.0,
        )  # fmt: skip


class KeepForm(forms.Form):
    """Beside the picture's own fields, which stand in it hidden."""

    name = forms.CharField(label="keep as", max_length=100, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    is_watched = forms.BooleanField(label="alarm when a new run leaves the band", required=False)


def query_of(trend: Trend) -> dict[str, Any]:
    """The address of a kept trend, as parameters."""
    aliases = "\n".join(f"{name} = {formula}" for name, formula in trend.aliases.items())
    given = {
        "draw": trend.draw, "where": trend.where, "aliases": aliases, "per": trend.per, "runs": trend.runs,
        "sigmas": f"{trend.sigmas:g}", "floor": f"{trend.floor:g}", "trend": trend.pk,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value not in ("", "0")}
