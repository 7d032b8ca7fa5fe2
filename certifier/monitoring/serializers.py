"""The shapes of histograms in REST, for the schema and for answers. What comes in is checked by the services."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from certifier.lumi import LARGEST_RUN

from .checks import LONGEST_GROUP, LONGEST_PATH
from .models import Element

NUMBERS = {"type": "array", "items": {}, "description": "nested lists of numbers; null for a missing histogram"}


@extend_schema_field(NUMBERS)
class NumbersField(serializers.Field[Any, Any, Any, Any]):
    """One item per lumisection, nested as the axes are."""


class AxisSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=200)
    label = serializers.CharField(  # type: ignore[assignment]  # a field of an axis, not what DRF calls a label
        required=False, allow_blank=True, max_length=200
    )
    unit = serializers.CharField(required=False, allow_blank=True, max_length=200)
    circular = serializers.BooleanField(required=False, help_text="an angle: the last bin touches the first")
    edges = serializers.ListField(child=serializers.FloatField(), min_length=2, help_text="ascending")


class HistogramSerializer(serializers.Serializer[Any]):
    element = serializers.CharField(max_length=LONGEST_PATH, help_text="EcalBarrel/occupancy")
    physics_object = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_GROUP)
    axes = AxisSerializer(many=True, required=False, help_text="may be left out for an element that is known")
    lumisections = serializers.CharField(allow_blank=True, help_text="`1-4 9 20-728`")
    counts = NumbersField(help_text="one item per lumisection, ascending, nested as the axes are")
    flow = NumbersField(required=False, help_text="per lumisection and axis: [underflow, overflow]")


class HistogramsSerializer(serializers.Serializer[Any]):
    histograms = HistogramSerializer(many=True)


class RunHistogramsSerializer(HistogramsSerializer):
    run = serializers.IntegerField(min_value=1, max_value=LARGEST_RUN)
    dataset = serializers.CharField(allow_null=True, help_text="null: the run has no histograms")


class IngestedSerializer(serializers.Serializer[Any]):
    run = serializers.IntegerField(min_value=1, max_value=LARGEST_RUN)
    dataset = serializers.CharField()
    histograms = serializers.IntegerField(min_value=0, help_text="how many were new or differed")
    unchanged = serializers.IntegerField(min_value=0, help_text="how many were there already, bin by bin")
    lumisections = serializers.CharField(allow_blank=True, help_text="of those that were written")
    new_elements = serializers.ListField(child=serializers.CharField())


class ElementSerializer(serializers.Serializer[Element]):
    path = serializers.CharField()
    system = serializers.CharField(allow_null=True, help_text="code of the system that looks after it")
    physics_object = serializers.CharField(allow_blank=True, help_text="muons, jets: how its errors are grouped")
    axes = AxisSerializer(many=True)

    def to_representation(self, instance: Element) -> dict[str, Any]:
        return {
            "path": instance.path,
            "system": instance.system.code if instance.system else None,
            "physics_object": instance.physics_object,
            "axes": instance.axes,
        }


class ElementChangeSerializer(serializers.Serializer[Any]):
    system = serializers.CharField(required=False, allow_null=True, max_length=40, help_text="null: nobody's")
    physics_object = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST_GROUP)
