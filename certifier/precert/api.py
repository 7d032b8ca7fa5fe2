"""REST of this room; its addresses are below /api/v1/."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from certifier.accounts.models import User
from certifier.accounts.selectors import system_named
from certifier.lumi import LARGEST_RUN
from certifier.runs.selectors import find_run

from . import selectors, services
from .guarantee import read_guarantee
from .hiding import Hidden
from .models import Mode, ModelVersion, State
from .rules import LONGEST_REASON
from .selectors import RunVerdict

RUN = OpenApiParameter(
    "run",
    {"type": "integer", "minimum": 1, "maximum": LARGEST_RUN},
    OpenApiParameter.PATH,
    description="run number",
)
MODEL = OpenApiParameter(
    "model", {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, OpenApiParameter.PATH, description="its id"
)
SYSTEM = OpenApiParameter("system", str, description="the code of one system; all without it")


class LumiSetText(serializers.CharField):
    """`1-4 9 20-728`; empty for none."""


class HiddenSerializer(serializers.Serializer[Hidden]):
    """What whoever asks is not told, since they hold a review item that shows no verdict; unscored to them."""

    lumisections = LumiSetText()
    until = serializers.DateTimeField()
    why = serializers.CharField(source="words")


class SystemScoresSerializer(serializers.Serializer[RunVerdict]):
    system = serializers.CharField(source="system.code")
    model = serializers.IntegerField(
        source="version.pk", allow_null=True, help_text="id of the champion; null when the system has none"
    )
    mode = serializers.ChoiceField(choices=Mode.choices)
    good = LumiSetText()
    bad = LumiSetText()
    unsure = LumiSetText()
    unscored = LumiSetText(help_text="whatever has no verdict; the four are a partition of the run")
    scores = serializers.ListField(
        child=serializers.FloatField(allow_null=True, min_value=0, max_value=1),
        help_text="of each lumisection, lumisection 1 first, higher is worse; null where there is none",
    )

    hidden = HiddenSerializer(required=False)

    def to_representation(self, instance: RunVerdict) -> dict[str, Any]:
        """`hidden` is there for whom something is hidden, and for nobody else."""
        found: dict[str, Any] = super().to_representation(instance)
        if found["hidden"] is None:
            del found["hidden"]
        return found


class RunScoresSerializer(serializers.Serializer[Any]):
    systems = SystemScoresSerializer(many=True)


class ModelSerializer(serializers.ModelSerializer[ModelVersion]):
    """What is known of a model version."""

    system = serializers.CharField(source="system.code")
    number = serializers.IntegerField(min_value=1, help_text="1, 2, 3 … of the system")
    state = serializers.ChoiceField(choices=State.choices)
    certifies = serializers.BooleanField(help_text="whether anything is decided under a bound")
    guarantee_in_words = serializers.CharField()
    metrics = serializers.DictField()
    guarantee = serializers.DictField()
    lineage = serializers.DictField()
    by = serializers.CharField(source="by_name")

    class Meta:
        model = ModelVersion
        fields = [
            "id",
            "system",
            "number",
            "state",
            "kind",
            "digest",
            "fingerprint",
            "metrics",
            "guarantee",
            "guarantee_in_words",
            "certifies",
            "lineage",
            "by",
            "at",
        ]


class PromoteInput(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=LONGEST_REASON, allow_blank=True, required=False, default="")

    def to_internal_value(self, data: Any) -> Any:
        """Refuses what it does not know, by name."""
        unknown = sorted(str(key) for key in data if key != "reason") if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(unknown, "There is no such field."))
        if isinstance(data, dict) and not isinstance(data.get("reason", ""), str):
            raise serializers.ValidationError({"reason": "Send a text."})
        return super().to_internal_value(data)


def bodies(versions: Sequence[ModelVersion]) -> list[dict[str, Any]]:
    """Versions as the serializer says. Three queries."""
    found = []
    for version, state in selectors.with_states(versions):
        guarantee = read_guarantee(version.guarantee)
        known = {"state": state, "certifies": guarantee.certifies, "guarantee_in_words": guarantee.words}
        for name, value in known.items():
            setattr(version, name, value)
        found.append(dict(ModelSerializer(version).data))
    return found


class RunScores(APIView):
    @extend_schema(operation_id="read_scores", tags=["models"], parameters=[RUN, SYSTEM], responses=RunScoresSerializer)
    def get(self, request: Request, run: int) -> Response:
        """What the champion of each system says of a run. What nobody has scored is unscored, never good.

        Who holds a review item that is shown without its verdict is not told the verdict here either: to them these
        lumisections are unscored, and `hidden` says which they are, until when, and why. It is left out otherwise.
        """
        found = find_run(run)
        code = request.query_params.get("system")
        models = selectors.models_of(None if code is None else [system_named(code)])
        verdicts = selectors.verdicts_of_run(found, models, viewer=request.user)
        return Response(RunScoresSerializer({"systems": verdicts}).data)


class Models(ListAPIView[ModelVersion]):
    """Model versions, the newest first."""

    serializer_class = ModelSerializer
    filter_backends = ()
    keyset = "-id"

    def get_queryset(self) -> QuerySet[ModelVersion]:
        return ModelVersion.objects.select_related("system").order_by("-id")

    @extend_schema(operation_id="list_models", tags=["models"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Model versions of all systems, the newest first."""
        page = self.paginate_queryset(self.get_queryset())
        return self.get_paginated_response(bodies(cast("list[ModelVersion]", page)))


class OneModel(APIView):
    @extend_schema(operation_id="read_model", tags=["models"], parameters=[MODEL], responses=ModelSerializer)
    def get(self, request: Request, model: int) -> Response:
        """A model version: metrics, guarantee, fingerprint of its training data, lineage."""
        return Response(bodies([selectors.find_version(model)])[0])


class Promote(APIView):
    @extend_schema(
        operation_id="promote_model",
        tags=["models"],
        parameters=[MODEL],
        request=PromoteInput,
        responses=ModelSerializer,
    )
    def post(self, request: Request, model: int) -> Response:
        """Make a version the champion of its system. Coordinators only. The champion already is 409."""
        version = selectors.find_version(model)
        body = PromoteInput(data=request.data)
        body.is_valid(raise_exception=True)
        actor = cast("User", request.user)  # ViewerReads lets nobody else come this far
        services.promote(actor=actor, version=version, reason=body.validated_data["reason"])
        return Response(bodies([version])[0])


urlpatterns = [
    path("runs/<int:run>/scores/", RunScores.as_view(), name="run-scores"),
    path("models/", Models.as_view(), name="models"),
    path("models/<int:model>/", OneModel.as_view(), name="model"),
    path("models/<int:model>/promote/", Promote.as_view(), name="model-promote"),
]
