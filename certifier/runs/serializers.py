"""The shapes of runs in REST, for the OpenAPI schema and for answers. What comes in is checked by the services."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from certifier.lumi import LARGEST_RUN, MAX_LUMISECTION

from .lumisection_columns import LARGEST_VALUE
from .models import Change, Run
from .profile import COLUMNS, profile_of
from .run_fields import LARGEST_INTEGER
from .selectors import as_list, flags_of, lumisection_times

LUMISECTION_COUNT = {"type": "integer", "minimum": 0, "maximum": MAX_LUMISECTION}
COLUMN = {
    "type": "array",
    "items": {"type": "number", "format": "double", "minimum": 0, "maximum": LARGEST_VALUE, "nullable": True},
}


def iso(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


@extend_schema_field({"oneOf": [LUMISECTION_COUNT, {"type": "string", "example": "1-728"}]})
class LumisectionCountField(serializers.Field[Any, Any, Any, Any]):
    """How many lumisections a run has; text names ranges, of which the last counts."""


@extend_schema_field(COLUMN)
class ColumnField(serializers.Field[Any, Any, Any, Any]):
    """Values of consecutive lumisections, null where one is not known."""


@extend_schema_field({"type": "array", "items": {"type": "string", "format": "date-time", "nullable": True}})
class TimesField(serializers.Field[Any, Any, Any, Any]):
    """When consecutive lumisections began."""


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string", "nullable": True}})
class FlagsField(serializers.Field[Any, Any, Any, Any]):
    """Lumisections (`1-4 9 20-728`) by name of the condition that held; sent as null, the flag is forgotten."""


@extend_schema_field({"type": "object", "additionalProperties": {}})
class AttributesField(serializers.Field[Any, Any, Any, Any]):
    """Whatever else is known of a run."""


class RunFieldsSerializer(serializers.Serializer[Any]):
    """What may be said of a run; everything may be left out."""

    run = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_RUN, help_text="as in the address")
    lumisections = LumisectionCountField(required=False, help_text="how many there are, or ranges such as 1-728")
    project = serializers.CharField(required=False, allow_blank=True, max_length=60)
    period = serializers.CharField(required=False, allow_blank=True, max_length=20)
    fill = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=LARGEST_INTEGER)
    started_at = serializers.DateTimeField(required=False, allow_null=True)
    ended_at = serializers.DateTimeField(required=False, allow_null=True)
    beam = serializers.CharField(required=False, allow_blank=True, max_length=20, help_text="pp, HI, cosmics")
    energy_gev = serializers.FloatField(required=False, allow_null=True, min_value=0, help_text="beam energy")
    attributes = AttributesField(required=False)


class NumberedRunFieldsSerializer(RunFieldsSerializer):
    """A run among others: its number is needed."""

    run = serializers.IntegerField(min_value=1, max_value=LARGEST_RUN)


class RunListFieldsSerializer(serializers.Serializer[Any]):
    runs = NumberedRunFieldsSerializer(many=True)


class BulkOutcomeSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField(min_value=0)
    updated = serializers.IntegerField(min_value=0)
    unchanged = serializers.IntegerField(min_value=0)


class RunSerializer(serializers.Serializer[Run]):
    run = serializers.IntegerField(min_value=1, max_value=LARGEST_RUN)
    lumisections = serializers.IntegerField(min_value=0, help_text="how many there are, numbered from 1")
    project = serializers.CharField(allow_blank=True)
    period = serializers.CharField(allow_blank=True)
    fill = serializers.IntegerField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    beam = serializers.CharField(allow_blank=True)
    energy_gev = serializers.FloatField(allow_null=True)
    attributes = AttributesField()
    version = serializers.IntegerField(min_value=1)
    updated_at = serializers.DateTimeField()

    def to_representation(self, instance: Run) -> dict[str, Any]:
        return body_of_run(instance)


class LumisectionsSerializer(serializers.Serializer[Any]):
    first = serializers.IntegerField(required=False, default=1, min_value=1, max_value=MAX_LUMISECTION)
    duration_s = ColumnField(required=False, help_text="seconds")
    delivered_inv_nb = ColumnField(required=False, help_text="integrated over the lumisection, inverse nanobarn")
    recorded_inv_nb = ColumnField(required=False, help_text="integrated over the lumisection, inverse nanobarn")
    pileup = ColumnField(required=False, help_text="mean number of interactions per crossing")
    started_at = TimesField(required=False, help_text="when each lumisection began; answered where times are known")
    flags = FlagsField(required=False)


class WholeLumisectionsSerializer(LumisectionsSerializer):
    """As they are answered: every column from lumisection 1 on."""

    first = serializers.IntegerField(min_value=1, max_value=1)
    duration_s = ColumnField(help_text="seconds")
    delivered_inv_nb = ColumnField(help_text="integrated over the lumisection, inverse nanobarn")
    recorded_inv_nb = ColumnField(help_text="integrated over the lumisection, inverse nanobarn")
    pileup = ColumnField(help_text="mean number of interactions per crossing")
    flags = FlagsField()


class LumisectionsWrittenSerializer(serializers.Serializer[Any]):
    run = serializers.IntegerField()
    lumisections = serializers.IntegerField(min_value=0, help_text="how many the run has now")
    version = serializers.IntegerField(min_value=1)
    changed = serializers.CharField(allow_blank=True, help_text="the lumisections in which something changed")
    changed_flags = serializers.ListField(child=serializers.CharField())


class ChangeSerializer(serializers.Serializer[Change]):
    sequence = serializers.IntegerField(min_value=1)
    kind = serializers.CharField(help_text="room.what: runs.run, runs.lumisections, defects.entries")
    run = serializers.IntegerField(allow_null=True)
    at = serializers.DateTimeField()
    by = serializers.CharField()
    data = AttributesField()  # type: ignore[assignment]  # a field of the feed, not what a serializer calls data


class ChangesSerializer(serializers.Serializer[Any]):
    changes = ChangeSerializer(many=True)
    next = serializers.IntegerField(min_value=0, help_text="send it as `after` for what comes next")


def body_of_run(run: Run) -> dict[str, Any]:
    return {
        "run": run.number,
        "lumisections": run.last_lumisection,
        "project": run.project,
        "period": run.period,
        "fill": run.fill,
        "started_at": iso(run.started_at),
        "ended_at": iso(run.ended_at),
        "beam": run.beam,
        "energy_gev": run.energy_gev,
        "attributes": run.attributes,
        "version": run.version,
        "updated_at": iso(run.updated_at),
    }


def body_of_lumisections(run: Run) -> dict[str, Any]:
    """As it may be sent back: `started_at` only where times are known."""
    profile = profile_of(run)
    body: dict[str, Any] = {"first": 1, **{name: as_list(profile, name) for name in COLUMNS}}
    times = lumisection_times(run)
    if times is not None:
        body["started_at"] = [iso(value) for value in times]
    body["flags"] = {name: str(lumisections) for name, lumisections in flags_of(run).items()}
    return body


def body_of_change(change: Change) -> dict[str, Any]:
    return {
        "sequence": change.sequence,
        "kind": change.kind,
        "run": change.run,
        "at": iso(change.at),
        "by": change.by,
        "data": change.data,
    }
