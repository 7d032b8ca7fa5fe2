"""REST of this room; its addresses are below /api/v1/."""

from __future__ import annotations

from typing import Any, cast

import django_filters as filters
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

from . import selectors, services
from .models import Outcome, Training

TRAINING = OpenApiParameter(
    "training",
    {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    OpenApiParameter.PATH,
    description="its id",
)


class TrainingSerializer(serializers.ModelSerializer[Training]):
    """What came of one attempt to learn anew."""

    system = serializers.CharField(source="system.code")
    number = serializers.IntegerField(min_value=1, help_text="1, 2, 3 … of the system")
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    job = serializers.IntegerField(source="job_id", allow_null=True, help_text="id of the job that did it")
    labels = serializers.DictField(help_text="lumisections learned from: {source: {good, bad}}")
    extent = serializers.DictField(help_text="runs, lumisections, first_run and last_run learned from")
    champion = serializers.IntegerField(
        source="champion_id", allow_null=True, help_text="id of the model it was compared with"
    )
    challenger = serializers.IntegerField(
        source="challenger_id", allow_null=True, help_text="id of the model it made; null when it made none"
    )
    gate = serializers.DictField(help_text="what the gate measured: docs/training.md")
    by = serializers.CharField(source="by_name")

    class Meta:
        model = Training
        fields = [
            "id",
            "system",
            "number",
            "outcome",
            "words",
            "job",
            "trigger",
            "fingerprint",
            "labels",
            "extent",
            "champion",
            "challenger",
            "gate",
            "took_s",
            "peak_mb",
            "by",
            "at",
        ]


class TrainInput(serializers.Serializer[Any]):
    system = serializers.CharField(max_length=40, help_text="its code")

    def to_internal_value(self, data: Any) -> Any:
        """Refuses what it does not know, by name, and a system that is no text."""
        unknown = sorted(str(key) for key in data if key != "system") if isinstance(data, dict) else []
        if unknown:
            raise serializers.ValidationError(dict.fromkeys(unknown, "There is no such field."))
        if isinstance(data, dict) and not isinstance(data.get("system", ""), str):
            raise serializers.ValidationError({"system": "Send a text."})
        return super().to_internal_value(data)


class TrainAnswer(serializers.Serializer[Any]):
    job = serializers.IntegerField(min_value=1, help_text="see jobs/{job}/")


class TrainingFilter(filters.FilterSet):
    system = filters.CharFilter(
        field_name="system__code", lookup_expr="iexact", label="code of a system", max_length=40
    )
    outcome = filters.ChoiceFilter(choices=Outcome.choices, label="outcome")

    class Meta:
        model = Training
        fields: list[Any] = []


class Trainings(ListAPIView[Training]):
    """Trainings, the newest first."""

    serializer_class = TrainingSerializer
    filterset_class = TrainingFilter
    keyset = "-id"

    def get_queryset(self) -> QuerySet[Training]:
        return selectors.trainings()

    @extend_schema(operation_id="list_trainings", tags=["trainings"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What came of every training, the newest first."""
        return super().get(request, *args, **kwargs)

    @extend_schema(operation_id="start_training", tags=["trainings"], request=TrainInput, responses={202: TrainAnswer})
    def post(self, request: Request) -> Response:
        """Let a system be trained as soon as a worker has time. Coordinators only.

        Where a training of the system waits or runs already, that job is the answer.
        """
        body = TrainInput(data=request.data)
        body.is_valid(raise_exception=True)
        actor = cast("User", request.user)  # ViewerReads lets nobody else come this far
        job = services.ask(actor=actor, system=system_named(body.validated_data["system"]))
        return Response({"job": job.pk}, status=202)


class OneTraining(APIView):
    @extend_schema(
        operation_id="read_training", tags=["trainings"], parameters=[TRAINING], responses=TrainingSerializer
    )
    def get(self, request: Request, training: int) -> Response:
        """One training: its outcome in words, the labels it learned from, what the gate measured."""
        return Response(TrainingSerializer(selectors.find_training(training)).data)


urlpatterns = [
    path("trainings/", Trainings.as_view(), name="trainings"),
    path("trainings/<int:training>/", OneTraining.as_view(), name="training"),
]
