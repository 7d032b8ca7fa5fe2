"""The shapes of good-run lists in REST: strict on the way in, and on the way out described as it is answered."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from certifier.review.models import Stage
from certifier.review.strict import Boolean, Choice, Integer, StrictSerializer, Text

from . import building, services
from .models import Origin
from .selectors import LARGEST_ID

NAME = "unique; not digits only"


class Names(serializers.ListField):
    """A list of names of defects."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=Text(max_length=100), max_length=building.MOST_NAMES, **options)


class ListInput(StrictSerializer):
    name = Text(max_length=services.LONGEST_NAME, help_text=NAME)
    description = Text(max_length=services.LONGEST_DESCRIPTION, allow_blank=True, default="")
    tag = Text(max_length=100, allow_null=True, default=None, help_text="a tag; HEAD or null for what holds now")
    require = Names(min_length=1, help_text="virtual defects that must be absent")
    ignore = Names(default=list, help_text="defects, primary or virtual, that count as never set")
    runs = Text(
        max_length=building.LONGEST_SELECTION,
        allow_blank=True,
        default="",
        help_text="such as 358031-364292 364300; empty for all",
    )
    signed_off = Boolean(default=True, help_text="every system it depends on must be signed")
    stage = Choice(choices=Stage.choices, allow_null=True, default=None, help_text="signed at or after this stage")


class CombineInput(StrictSerializer):
    operation = Choice(choices=list(services.OPERATIONS))
    lists = serializers.ListField(
        child=Integer(min_value=1, max_value=LARGEST_ID),
        min_length=2,
        max_length=services.MOST_LISTS,
        help_text="ids; minus takes all others from the first",
    )
    name = Text(max_length=services.LONGEST_NAME, help_text=NAME)
    description = Text(max_length=services.LONGEST_DESCRIPTION, allow_blank=True, default="")


class ImportInput(StrictSerializer):
    """A file and its name, as a form."""

    file = serializers.FileField(help_text="golden JSON, GRL XML, CSV (run,first,last) or a list of runs")
    name = Text(max_length=services.LONGEST_NAME, required=False, help_text=f"{NAME}; the file's own when left out")


class LuminosityOutput(serializers.Serializer[Any]):
    """Sums in inverse nanobarn over the lumisections that have a value; null where none has."""

    lumisections = serializers.IntegerField()
    delivered_inv_nb = serializers.FloatField(allow_null=True)
    recorded_inv_nb = serializers.FloatField(allow_null=True)
    delivered_lumisections = serializers.IntegerField(help_text="how many have a delivered luminosity")
    recorded_lumisections = serializers.IntegerField(help_text="how many have a recorded luminosity")


class LeftOutOutput(serializers.Serializer[Any]):
    run = serializers.IntegerField()
    reason = serializers.CharField()
    unsigned = serializers.ListField(child=serializers.CharField(), required=False)


class ParentOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    sha256 = serializers.CharField()


class ByMachineOutput(serializers.Serializer[Any]):
    """A system that nobody has signed, and where its machine's word counts: auto, a live guarantee, verdict good."""

    run = serializers.IntegerField()
    system = serializers.CharField()
    model = serializers.IntegerField()
    lumisections = serializers.CharField()


class PromiseOutput(serializers.Serializer[Any]):
    """What the list relies on where a machine stands for a signature, and who said that it counts."""

    system = serializers.CharField()
    model = serializers.IntegerField()
    digest = serializers.CharField()
    promise = serializers.CharField()
    by = serializers.CharField()
    since = serializers.DateTimeField()
    reason = serializers.CharField()


class ProvenanceOutput(serializers.Serializer[Any]):
    """Where the lumisections come from; which fields there are depends on the origin."""

    expressions = serializers.DictField(child=serializers.CharField(), required=False)
    systems = serializers.ListField(child=serializers.CharField(), required=False)
    left_out = LeftOutOutput(many=True, required=False)
    machine = ByMachineOutput(many=True, required=False)
    promises = PromiseOutput(many=True, required=False)
    source = serializers.CharField(required=False)  # type: ignore[assignment]  # a field, not the option of one
    format = serializers.CharField(required=False)
    remarks = serializers.ListField(child=serializers.CharField(), required=False)
    operation = serializers.ChoiceField(choices=list(services.OPERATIONS), required=False)
    parents = ParentOutput(many=True, required=False)


class ListSummaryOutput(LuminosityOutput):
    """A list without what is in it. `runs` and `lumisections` are numbers of them."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    description = serializers.CharField()
    origin = serializers.ChoiceField(choices=Origin.choices)
    sha256 = serializers.CharField(help_text="of golden.json")
    runs = serializers.IntegerField()
    tag = serializers.CharField(allow_null=True)
    entry_id = serializers.IntegerField(help_text="the highest defect entry that was read")
    logic_version = serializers.IntegerField()
    require = serializers.ListField(child=serializers.CharField())
    ignore = serializers.ListField(child=serializers.CharField())
    run_selection = serializers.CharField()
    signed_off = serializers.BooleanField()
    stage = serializers.CharField()
    created_by = serializers.CharField(allow_null=True)
    created_at = serializers.DateTimeField()


class DocumentOutput(serializers.Serializer[Any]):
    name = serializers.CharField()
    sha256 = serializers.CharField()
    created_at = serializers.DateTimeField()


class ListOutput(ListSummaryOutput):
    """A list with its provenance. The luminosity is what is known today."""

    provenance = ProvenanceOutput()
    when_published = LuminosityOutput(help_text="the luminosity as it was known then")
    documents = DocumentOutput(many=True)


class PreviewOutput(LuminosityOutput):
    """What would be published."""

    sha256 = serializers.CharField()
    runs = serializers.IntegerField()
    entry_id = serializers.IntegerField()
    logic_version = serializers.IntegerField()
    systems = serializers.ListField(child=serializers.CharField(), help_text="that must be signed")
    left_out = LeftOutOutput(many=True)
    machine = ByMachineOutput(many=True)
    promises = PromiseOutput(many=True)


class ChargeOutput(LuminosityOutput):
    recoverable = LuminosityOutput(help_text="of it, what a reprocessing may bring back")


class DefectLossOutput(ChargeOutput):
    defect = serializers.CharField(help_text="with ! where its absence is what made the loss")


class SystemLossOutput(ChargeOutput):
    system = serializers.CharField()
    defects = DefectLossOutput(many=True)
    not_signed_off = LuminosityOutput()


class OtherLossOutput(LuminosityOutput):
    reason = serializers.CharField()


class LossOutput(serializers.Serializer[Any]):
    """`selected` = `good` + `lost`; `lost` is the sum over `systems` and `elsewhere`, each lumisection charged once."""

    list = serializers.IntegerField()
    flags = serializers.ListField(child=serializers.CharField())
    as_built = serializers.BooleanField(
        help_text="charged to the defects the list was built with; otherwise to what is intolerable today"
    )
    runs = serializers.IntegerField()
    selected = LuminosityOutput()
    good = LuminosityOutput()
    lost = ChargeOutput()
    outside = LuminosityOutput(help_text="of the list, what is not among the selected")
    systems = SystemLossOutput(many=True)
    elsewhere = OtherLossOutput(many=True)
    left_out = LeftOutOutput(many=True)
    runs_without_lumisections = serializers.IntegerField()
    runs_without_flags = serializers.IntegerField()


class ListRunDifferenceOutput(serializers.Serializer[Any]):
    run = serializers.IntegerField()
    only_first = serializers.CharField(help_text="lumisections")
    only_second = serializers.CharField(help_text="lumisections")
    first = LuminosityOutput()
    second = LuminosityOutput()


class DifferenceOutput(serializers.Serializer[Any]):
    """What only the first and only the second list has."""

    first = LuminosityOutput()
    second = LuminosityOutput()
    common = LuminosityOutput()
    first_list = serializers.IntegerField()
    second_list = serializers.IntegerField()
    runs = ListRunDifferenceOutput(many=True)
