"""REST of this room; its addresses are below /api/v1/."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from certifier.accounts.selectors import system_named
from certifier.audit.errors import CertifierError, NotFound
from certifier.runs.models import Run

from . import queue_api, selectors, services
from .models import Action, SignOff, Stage
from .strict import LARGEST_INTEGER, Choice, Integer, StrictSerializer, Text

RUN = OpenApiParameter("run", {"type": "integer", "minimum": 0}, "path", description="run number")


class SignOffInput(StrictSerializer):
    run = Integer(min_value=1)
    system = Text(max_length=40)
    stage = Choice(choices=Stage.choices)
    action = Choice(choices=Action.choices, default=Action.SIGN)
    comment = Text(
        max_length=services.LONGEST_COMMENT,
        allow_blank=True,
        default="",
        help_text="required when reopening: the reason",
    )


class SignOffSerializer(serializers.ModelSerializer[SignOff]):
    run = serializers.IntegerField(source="run.number")
    system = serializers.CharField(source="system.code")
    by = serializers.CharField(source="by_name")
    also_reopened = serializers.ListField(
        child=serializers.ChoiceField(choices=Stage.choices),
        help_text="later stages that were reopened with this one",
        default=list,
    )

    class Meta:
        model = SignOff
        fields = ["id", "run", "system", "stage", "action", "comment", "by", "at", "also_reopened"]


class StageStateSerializer(serializers.Serializer[Any]):
    stage = serializers.ChoiceField(choices=Stage.choices)
    state = serializers.ChoiceField(choices=["unchecked", "signed", "reopened"])
    by = serializers.CharField(help_text="empty while unchecked")
    at = serializers.DateTimeField(allow_null=True)
    comment = serializers.CharField()
    blocked_by = serializers.ListField(
        child=serializers.CharField(), help_text="what stands against signing it now, in words"
    )
    entries_since = serializers.BooleanField(help_text="defects were entered after the signature")


class SystemStateSerializer(serializers.Serializer[Any]):
    system = serializers.CharField(source="system.code")
    signed = serializers.BooleanField(
        source="is_signed", help_text="counts as signed for good-run lists: a stage is signed, none reopened"
    )
    stages = StageStateSerializer(many=True)


class RunSignOffsSerializer(serializers.Serializer[Any]):
    run = serializers.IntegerField()
    next_step = serializers.CharField(help_text="what is to be done next, in words")
    systems = SystemStateSerializer(many=True)


class SignOffs(APIView):
    @extend_schema(request=SignOffInput, responses={201: SignOffSerializer}, operation_id="sign_off")
    def post(self, request: Request) -> Response:
        """Sign a stage of a system for a run, or reopen it. What stands against it is 409, with every
        reason.
        """
        body = SignOffInput(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        act: dict[str, Any] = {
            "actor": request.user,
            "run": _run_of(given["run"]),
            "system": system_named(given["system"]),
            "stage": given["stage"],
            "comment": given["comment"],
        }
        if given["action"] == Action.SIGN:
            row, also = services.sign_off(**act), []
        else:
            row, *others = services.reopen(**act)
            also = [other.stage for other in others]
        row.also_reopened = also  # type: ignore[attr-defined]
        return Response(SignOffSerializer(row).data, status=201)


class RunSignOffs(APIView):
    @extend_schema(parameters=[RUN], responses=RunSignOffsSerializer, operation_id="read_sign_offs")
    def get(self, request: Request, run: int) -> Response:
        """Per system and stage: unchecked, signed or reopened, by whom and when, and what stands against
        signing.
        """
        if run > LARGEST_INTEGER:
            raise NotFound(f"There is no run {run}.")
        found = get_object_or_404(Run, number=run)
        states = selectors.sign_off_state(found)
        answer = {"run": found.number, "next_step": selectors.next_step(found, states), "systems": states}
        return Response(RunSignOffsSerializer(answer).data)


def _run_of(number: int) -> Run:
    run = Run.objects.filter(number=number).first()
    if run is None:
        raise CertifierError(f"There is no run {number}.", field="run")
    return run


urlpatterns = [
    path("sign-offs/", SignOffs.as_view(), name="sign-offs"),
    path("runs/<int:run>/sign-offs/", RunSignOffs.as_view(), name="run-sign-offs"),
    *queue_api.urlpatterns,
]
