"""The forms of this room's pages. What is wrong beyond a missing field, services say; `place_errors` puts it there."""

from __future__ import annotations

from typing import Any

from django import forms

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.errors import CertifierError
from certifier.lumi import RunSelection

from .entry_input import NewEntry
from .logic_at import Definitions
from .models import Tag

PRESENT, RECOVERABLE, ABSENT = "present", "recoverable", "absent"
STATES = [(PRESENT, "present"), (RECOVERABLE, "recoverable"), (ABSENT, "absent")]
KINDS = [("", "all"), ("primary", "primary"), ("virtual", "virtual")]


class LowerCaseLabels(forms.Form):
    """Labels as the house writes them: what Django would capitalise stays as the field is called."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if field.label is None:
                field.label = name.replace("_", " ")


def place_errors(form: forms.Form, error: CertifierError) -> None:
    """A refusal at the fields it names, the rest above the form."""
    for item in error.errors:
        field = item.get("field")
        form.add_error(field if field in form.fields else None, item["message"])


def systems_of(user: Any) -> list[System]:
    """The systems whose defects the person may define."""
    return [system for system in System.objects.all() if permissions.can_define_defects(user, system)]


class CatalogueForm(LowerCaseLabels):
    q = forms.CharField(required=False, label="name or description", widget=forms.TextInput(attrs={"data-search": ""}))
    system = forms.ChoiceField(required=False)
    kind = forms.ChoiceField(required=False, choices=KINDS)
    intolerable = forms.BooleanField(required=False, label="only intolerable")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        codes = System.objects.values_list("code", flat=True)
        self.fields["system"].choices = [("", "all"), *((code, code) for code in codes)]  # type: ignore[attr-defined]


class DefineForm(LowerCaseLabels):
    """A new definition, or a changed one. The kind of a defect that exists stays, so `expression` may be missing."""

    name = forms.CharField(max_length=200, help_text="Letters, digits and underscores: SYSTEM_PARTITION_PROBLEM.")
    system = forms.ChoiceField()
    description = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What is wrong, so that others know it again.",
    )
    expression = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "class": "code", "spellcheck": "false"}),
        help_text="Makes the defect virtual: and, or, not, parentheses; or a list such as A B !C, which means or.",
    )
    intolerable = forms.BooleanField(required=False, help_text="Where it is present, data are not fit for physics.")
    needs_comment = forms.BooleanField(
        required=False, label="needs a comment", help_text="Nobody may record it without saying why."
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, systems: list[System], virtual: bool | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(system.code, f"{system.code}: {system.name}") for system in systems]
        self.fields["system"].choices = choices  # type: ignore[attr-defined]
        if virtual is False:
            del self.fields["expression"]
        elif virtual:
            self.fields["expression"].required = True
            del self.fields["needs_comment"]

    def definition(self) -> dict[str, Any]:
        """The fields as services take them."""
        names = ("name", "system", "description", "intolerable", "needs_comment")
        values = {name: self.cleaned_data[name] for name in names if name in self.fields}
        if "expression" in self.fields:
            values["expression"] = self.cleaned_data["expression"] or None
        return values


class RecordForm(LowerCaseLabels):
    """Something to say about a run. `names` are the defects to choose from."""

    defect = forms.CharField(
        max_length=200,
        widget=forms.TextInput(
            attrs={"list": "recordable", "autocomplete": "off", "spellcheck": "false", "data-key": "d"}
        ),
    )
    lumisections = forms.CharField(
        max_length=20_000,
        help_text="1-4 9 20-End, or all.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "data-key": "l"}),
    )
    state = forms.ChoiceField(choices=STATES, initial=PRESENT, widget=forms.RadioSelect)
    comment = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2, "dir": "auto", "data-key": "c"}))
    # The highest entry of the run when the form was shown: what came later, its reader has not seen.
    seen = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)

    def __init__(self, *args: Any, names: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.names = names

    def entry(self, run: int) -> NewEntry:
        given = self.cleaned_data
        return NewEntry(
            run=run,
            defect=given["defect"].strip(),
            lumisections=given["lumisections"],
            present=given["state"] != ABSENT,
            recoverable=given["state"] == RECOVERABLE,
            comment=given["comment"],
        )


def recordable(definitions: Definitions, user: User) -> list[str]:
    """The primary defects of the systems for which the person may record."""
    allowed = {system.pk for system in System.objects.all() if permissions.can_record_defects(user, system)}
    return [meaning.name for meaning in definitions.primaries() if meaning.system in allowed]


class UploadForm(LowerCaseLabels):
    text = forms.CharField(
        required=False,
        strip=False,
        label="upload text",
        widget=forms.Textarea(attrs={"rows": 12, "class": "code", "spellcheck": "false"}),
        help_text="@RUN opens a run; below it DEFECT R|Y|G lumisections # comment.",
    )
    file = forms.FileField(required=False, label="or a file")


class TagForm(LowerCaseLabels):
    name = forms.CharField(max_length=200, help_text="For example pro22-01. Tags never change.")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    from_tag = forms.ChoiceField(required=False, label="frozen from", help_text="HEAD is everything as it is now.")
    runs = forms.CharField(
        required=False, max_length=20_000, help_text="Only these runs, for example 358031-364292; empty for all."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = Tag.objects.values_list("name", flat=True)
        self.fields["from_tag"].choices = [("", "HEAD"), *((name, name) for name in names)]  # type: ignore[attr-defined]


class DiffForm(LowerCaseLabels):
    system = forms.ChoiceField(required=False)
    runs = forms.CharField(required=False, max_length=20_000)
    ignore = forms.CharField(
        required=False,
        max_length=2_000,
        label="leave out",
        widget=forms.TextInput(attrs={"placeholder": "DEFECT DEFECT"}),
    )
    kind = forms.ChoiceField(required=False, choices=[("", "all"), ("primary", "primary only")])

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        codes = System.objects.values_list("code", flat=True)
        self.fields["system"].choices = [("", "all"), *((code, code) for code in codes)]  # type: ignore[attr-defined]

    def clean_runs(self) -> RunSelection | None:
        text = self.cleaned_data["runs"]
        try:
            return RunSelection.parse(text) if text.strip() else None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class HistoryForm(LowerCaseLabels):
    defect = forms.CharField(required=False, max_length=200, widget=forms.TextInput(attrs={"list": "recorded"}))
