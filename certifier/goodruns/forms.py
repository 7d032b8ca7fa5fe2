"""Forms of this room's pages. What they hold is checked again by the services."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django import forms

from certifier.review.models import Stage

from . import building, services
from .facts import Facts
from .models import GoodRunList, Origin

HEAD = "what holds now (HEAD)"
RECENT = 50
OF_A_LIST = ("pk", "name", "origin", "require")
NAME = "Unique, and never changed. Digits alone would be taken for an id."


class NamedForm(forms.Form):
    """What every new list has."""

    name = forms.CharField(
        label="name",
        max_length=services.LONGEST_NAME,
        help_text=NAME,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    description = forms.CharField(
        label="description",
        required=False,
        max_length=services.LONGEST_DESCRIPTION,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class QuestionForm(forms.Form):
    """What a list is to be built from. It stands in the address, so that a preview can be sent to a colleague."""

    require = forms.MultipleChoiceField(
        label="requires", help_text="Virtual defects that must be absent; several with Ctrl or ⌘."
    )
    tag = forms.ChoiceField(required=False, label="as of")
    runs = forms.CharField(
        label="runs",
        required=False,
        max_length=building.LONGEST_SELECTION,
        widget=forms.TextInput(attrs={"placeholder": "358031-364292 364300", "autocomplete": "off"}),
        help_text="Empty for all runs.",
    )
    ignore = forms.CharField(
        required=False,
        max_length=10_000,
        label="ignores",
        widget=forms.TextInput(attrs={"autocomplete": "off", "list": "all-defects"}),
        help_text="Defects that count as never set, with blanks between them.",
    )
    stage = forms.ChoiceField(
        choices=[
            ("", "signed at any stage"),
            *((each, f"signed {each} or later") for each in Stage.values),
            ("no", "signed or not"),
        ],
        required=False,
        label="sign-off",
        help_text="Every system that the required defects depend on.",
    )
    against = forms.ChoiceField(required=False, label="compared with")

    def __init__(self, *args: Any, facts: Facts, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        definitions = facts.head.definitions
        # A tag may know a virtual defect that HEAD does not, or by another name; the service says so.
        asked = self.data.getlist("require") if hasattr(self.data, "getlist") else []
        names = dict.fromkeys([*(meaning.name for meaning in definitions.virtuals()), *asked])
        self.tags = {tag.name: tag for tag in facts.tags}
        # Read once: what can be chosen, and which is the newest of its kind.
        self.lists = {str(list_.pk): list_ for list_ in GoodRunList.objects.only(*OF_A_LIST).order_by("-id")}
        self._offer("require", [(name, name) for name in names])
        self._offer("tag", [("", HEAD), *((name, name) for name in self.tags)])
        self._offer(
            "against", [("", "the newest of its kind"), *((key, each.name) for key, each in self.lists.items())]
        )
        self.names = list(definitions)

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def asked(self) -> dict[str, Any]:
        """The arguments of `building.ask`. Of a valid form only."""
        data = self.cleaned_data
        return {
            "require": data["require"],
            "tag": self.tags.get(data["tag"]),
            "runs": data["runs"],
            "ignore": data["ignore"].replace(",", " ").split(),
            "signed_off": data["stage"] != "no",
            "stage": data["stage"] if data["stage"] != "no" else None,
        }

    def list_to_compare(self) -> GoodRunList | None:
        """The list to compare with: the chosen one, else the newest built one that requires the same."""
        chosen = self.lists.get(self.cleaned_data["against"])
        if chosen is not None:
            return chosen
        built = (each for each in self.lists.values() if each.origin == Origin.BUILT)
        required = sorted(self.cleaned_data["require"])
        return next((list_ for list_ in islice(built, RECENT) if sorted(list_.require) == required), None)


class PublishForm(NamedForm):
    """Publish what was previewed; `previewed` is the digest of what was looked at."""

    previewed = forms.CharField(max_length=64, widget=forms.HiddenInput)


class ImportForm(NamedForm):
    file = forms.FileField(
        label="file",
        allow_empty_file=True,
        help_text="Golden JSON, GRL XML, CSV (run,first,last), or one run per line (each good as a whole).",
    )
    field_order = ["file", "name", "description"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = False
        self.fields["name"].help_text = "The file's own name when left out."


class CombineForm(NamedForm):
    first = forms.ModelChoiceField(GoodRunList.objects.all(), label="list")
    operation = forms.ChoiceField(
        label="operation",
        choices=[
            ("and", "and (what all have)"),
            ("or", "or (what any has)"),
            ("minus", "minus (what the first has and no other)"),
            ("xor", "xor (what differs)"),
        ],
    )
    others = forms.ModelMultipleChoiceField(
        GoodRunList.objects.all(), label="with", help_text="Several with Ctrl or ⌘."
    )
    field_order = ["first", "operation", "others", "name", "description"]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if data.get("first") in (data.get("others") or ()):
            self.add_error("others", "The first list is among the others; take it out.")
        return data


class CompareForm(forms.Form):
    other = forms.ModelChoiceField(GoodRunList.objects.none(), label="compare with", empty_label="another list")

    def __init__(self, *args: Any, but: GoodRunList, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["other"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = GoodRunList.objects.exclude(pk=but.pk).only("pk", "name")
