"""The JSON of this room: strict on the way in, and on the way out described as it is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from certifier.audit.errors import ErrorItem

from .entry_input import NewEntry
from .errors import EntriesRefused
from .models import Tag

ENTRY_TYPES: Mapping[str, tuple[type, str]] = {
    "run": (int, "a run number"),
    "defect": (str, "the name of a defect"),
    "lumisections": (str, "text such as “1-4 9 20-End”, or “all”"),
    "present": (bool, "true or false"),
    "recoverable": (bool, "true or false"),
    "comment": (str, "text"),
}
ENTRY_REQUIRED = ("run", "defect", "lumisections")


class Text(serializers.CharField):
    """A text that stays what was sent: no number is taken for one, and no blank is cut off."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("trim_whitespace", False)
        super().__init__(**options)

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class Flag(serializers.BooleanField):
    """true or false, and nothing that merely looks like it."""

    def to_internal_value(self, data: object) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Strict(serializers.Serializer[Any]):
    """Refuses fields that it does not know, by name: a misspelt option must not be ignored."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(unknown, "There is no such field."))
        return attrs


class DefectInput(Strict):
    name = Text(max_length=100, help_text="ASCII letters, digits, underscores; unique ignoring case over both kinds")
    system = Text(max_length=40, help_text="code of a system")
    description = Text(required=False, allow_blank=True, max_length=10_000)
    expression = Text(
        required=False,
        allow_null=True,
        max_length=100_000,
        help_text="makes the defect virtual: `and or not ( )`, or a list such as `A B !C`, which means or",
    )
    intolerable = Flag(required=False)
    needs_comment = Flag(required=False, help_text="of a primary defect: nobody may record it without a comment")


class DefectOutput(serializers.Serializer[Any]):
    """A `Defect`, or the `Definition` of one at a tag: both have the same fields."""

    name = serializers.CharField()
    system = serializers.CharField(source="system.code")
    description = serializers.CharField()
    expression = serializers.CharField(allow_null=True, help_text="null for a primary defect")
    intolerable = serializers.BooleanField()
    needs_comment = serializers.BooleanField(required=False, help_text="true, or left out")

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Where no comment is demanded, the object is that of the contract and no more."""
        found: dict[str, Any] = super().to_representation(instance)
        if not found["needs_comment"]:
            del found["needs_comment"]
        return found


class EntryInput(serializers.Serializer[Any]):
    """For the schema; what comes in is read by `read_entries`, which is quicker and names every error."""

    run = serializers.IntegerField(min_value=1)
    defect = serializers.CharField()
    lumisections = serializers.CharField(help_text="`1-4 9 20-End`, or `all` for the whole run")
    present = serializers.BooleanField(required=False, default=True)
    recoverable = serializers.BooleanField(required=False, default=False)
    comment = serializers.CharField(required=False, allow_blank=True, default="")


class EntriesInput(serializers.Serializer[Any]):
    entries = EntryInput(many=True, allow_empty=False)


class EntryOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    run = serializers.IntegerField()
    defect = serializers.CharField()
    lumisections = serializers.CharField()
    present = serializers.BooleanField()
    recoverable = serializers.BooleanField()
    user = serializers.CharField()
    comment = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]  # a field of that name, which REST framework allows
    entered_at = serializers.DateTimeField()


class EntriesOutput(serializers.Serializer[Any]):
    entries = EntryOutput(many=True)
    head = serializers.IntegerField(help_text="the highest entry of this request")


class HistoryOutput(serializers.Serializer[Any]):
    next = serializers.CharField(allow_null=True, help_text="always null: the answer is whole")
    previous = serializers.CharField(allow_null=True)
    results = EntryOutput(many=True)


class IntervalOutput(serializers.Serializer[Any]):
    lumisections = serializers.CharField()
    present = serializers.BooleanField()
    recoverable = serializers.BooleanField()
    user = serializers.CharField(help_text="`virtual` for a virtual defect")
    comment = serializers.CharField(help_text="for a virtual defect its causes, sorted, a negated one with `!`")
    entered_at = serializers.DateTimeField(allow_null=True, help_text="null for a virtual defect")


class DefectInRunOutput(serializers.Serializer[Any]):
    defect = serializers.CharField()
    system = serializers.CharField()
    virtual = serializers.BooleanField()
    intolerable = serializers.BooleanField()
    present = serializers.CharField()
    absent = serializers.CharField(help_text="recorded absent; for a virtual defect, where it evaluates to absent")
    intervals = IntervalOutput(many=True)


class RunDefectsOutput(serializers.Serializer[Any]):
    run = serializers.IntegerField()
    lumisections = serializers.CharField()
    tag = serializers.CharField()
    defects = DefectInRunOutput(many=True)


class TagInput(Strict):
    name = Text(max_length=100)
    description = Text(required=False, allow_blank=True, max_length=10_000)
    from_tag = Text(required=False, allow_null=True, allow_blank=True, max_length=100)
    runs = Text(
        required=False, allow_null=True, allow_blank=True, max_length=20_000, help_text="`358031-364292 364300`"
    )


class TagOutput(serializers.ModelSerializer[Tag]):
    entry = serializers.IntegerField(source="entry_id", help_text="the highest entry that belongs to the tag")
    logic = serializers.IntegerField(source="logic_id", allow_null=True, help_text="logic version; null: none yet")
    runs = serializers.CharField(help_text="empty: all runs")
    from_tag = serializers.CharField(source="from_tag.name", allow_null=True, default=None)
    created_by = serializers.CharField(source="created_by.username", allow_null=True, default=None)

    class Meta:
        model = Tag
        fields = ["name", "description", "entry", "logic", "runs", "from_tag", "created_by", "created_at"]


class MomentOutput(serializers.Serializer[Any]):
    tag = serializers.CharField()
    entry = serializers.IntegerField(allow_null=True, help_text="null for HEAD")
    logic = serializers.IntegerField(allow_null=True, help_text="null for HEAD")
    runs = serializers.CharField(help_text="empty: all runs")


class DefinitionDifferenceOutput(serializers.Serializer[Any]):
    defect = serializers.CharField()
    a = DefectOutput(allow_null=True)
    b = DefectOutput(allow_null=True)
    changed = serializers.ListField(child=serializers.CharField())


class RunDifferenceOutput(serializers.Serializer[Any]):
    run = serializers.IntegerField()
    defect = serializers.CharField()
    system = serializers.CharField()
    virtual = serializers.BooleanField()
    only_in_a = serializers.CharField()
    only_in_b = serializers.CharField()
    recoverable_differs = serializers.CharField(help_text="present on both sides, recoverable on one")


class TagDiffOutput(serializers.Serializer[Any]):
    a = MomentOutput()
    b = MomentOutput()
    runs_only_in_a = serializers.CharField()
    runs_only_in_b = serializers.CharField()
    definitions = DefinitionDifferenceOutput(many=True)
    differences = RunDifferenceOutput(many=True)


class OverriddenOutput(serializers.Serializer[Any]):
    user = serializers.CharField()
    lumisections = serializers.CharField()
    present = serializers.BooleanField()
    recoverable = serializers.BooleanField()
    comment = serializers.CharField()


class UploadLineOutput(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    run = serializers.IntegerField()
    defect = serializers.CharField()
    lumisections = serializers.CharField()
    present = serializers.BooleanField()
    recoverable = serializers.BooleanField()
    comment = serializers.CharField()
    changes = serializers.BooleanField(help_text="whether an entry is written for the line")
    becomes_present = serializers.CharField()
    becomes_absent = serializers.CharField()
    becomes_recoverable = serializers.CharField()
    becomes_unrecoverable = serializers.CharField()
    already_so = serializers.CharField(help_text="lumisections that are so already, whoever said it")
    overrides = OverriddenOutput(many=True)
    warnings = serializers.ListField(child=serializers.CharField())


class UploadOutput(serializers.Serializer[Any]):
    dry_run = serializers.BooleanField()
    message = serializers.CharField()
    changes = serializers.BooleanField()
    recorded = serializers.IntegerField(help_text="entries written; of a dry run, entries that would be")
    head = serializers.IntegerField(allow_null=True, help_text="the highest entry written")
    lines = UploadLineOutput(many=True)


def read_entries(body: Mapping[str, Any]) -> list[NewEntry]:
    """The entries of a request. Raises EntriesRefused naming every wrong type, missing and unknown field by index."""
    errors: list[ErrorItem] = [
        {"field": name, "message": "There is no such field."} for name in sorted(set(body) - {"entries"})
    ]
    given = body.get("entries")
    if not isinstance(given, list):
        errors.append({"field": "entries", "message": 'Send a list of entries: {"entries": [{…}]}.'})
        raise EntriesRefused(errors)
    for index, entry in enumerate(given):
        errors += ({"index": index, **problem} for problem in _problems(entry))
    if errors:
        raise EntriesRefused(errors)
    return [NewEntry(**entry) for entry in given]


def _problems(entry: object) -> list[ErrorItem]:
    if not isinstance(entry, dict):
        return [{"message": "An entry is an object with run, defect and lumisections."}]
    found: list[ErrorItem] = [
        {"field": name, "message": "This field is required."} for name in ENTRY_REQUIRED if name not in entry
    ]
    for name, value in entry.items():
        expected = ENTRY_TYPES.get(name)
        if expected is None:
            found.append({"field": str(name), "message": "There is no such field."})
        elif not isinstance(value, expected[0]) or (isinstance(value, bool) and expected[0] is int):
            found.append({"field": name, "message": f"This must be {expected[1]}."})
    return found
