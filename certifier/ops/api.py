"""REST of this room; its addresses are below /api/v1/."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from .models import Job, JobState

JOB = OpenApiParameter(
    "job", {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, OpenApiParameter.PATH, description="its id"
)


@extend_schema_field({"nullable": True, "description": "whatever the work answered"})
class AnyJSON(serializers.JSONField):
    """Any JSON value, null while there is none."""


class JobSerializer(serializers.ModelSerializer[Job]):
    state = serializers.ChoiceField(choices=JobState.choices)
    requested_by = serializers.CharField(source="requested_by.username", default=None, allow_null=True)
    arguments = serializers.DictField()
    result = AnyJSON(allow_null=True)
    # Said here, or the schema would tell the range of the database that happens to be in use.
    attempt = serializers.IntegerField(min_value=0)
    progress = serializers.FloatField(min_value=0, max_value=1)

    class Meta:
        model = Job
        fields = [
            "id",
            "kind",
            "key",
            "queue",
            "state",
            "trigger",
            "requested_by",
            "arguments",
            "attempt",
            "progress",
            "message",
            "result",
            "error",
            "queued_at",
            "started_at",
            "finished_at",
            "acknowledged_at",
        ]


class JobFilter(filters.FilterSet):
    state = filters.ChoiceFilter(choices=JobState.choices, label="state")
    kind = filters.CharFilter(label="the task's name", max_length=60)

    class Meta:
        model = Job
        fields: list[Any] = []


class JobList(generics.ListAPIView[Job]):
    """Background work, the newest first."""

    serializer_class = JobSerializer
    filterset_class = JobFilter
    keyset = "-id"

    def get_queryset(self) -> QuerySet[Job]:
        return Job.objects.select_related("requested_by").order_by("-id")

    @extend_schema(operation_id="list_jobs", tags=["jobs"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Background work, the newest first."""
        return super().get(request, *args, **kwargs)


class JobDetail(generics.RetrieveAPIView[Job]):
    serializer_class = JobSerializer
    queryset = Job.objects.select_related("requested_by")
    filter_backends = ()
    lookup_url_kwarg = "job"

    @extend_schema(operation_id="read_job", tags=["jobs"], parameters=[JOB])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """How far one piece of work is, and what came of it."""
        return super().get(request, *args, **kwargs)


urlpatterns = [
    path("jobs/", JobList.as_view(), name="jobs"),
    path("jobs/<int:job>/", JobDetail.as_view(), name="job"),
]
