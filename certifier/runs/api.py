"""REST of this room; its addresses are below /api/v1/."""

from __future__ import annotations

import re
from typing import Any, cast

from django.db.models import QuerySet
from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from certifier.accounts.models import User
from certifier.lumi import LARGEST_RUN

from . import selectors, services
from .filters import RunFilter
from .models import Run
from .serializers import (
    BulkOutcomeSerializer,
    ChangesSerializer,
    LumisectionsSerializer,
    LumisectionsWrittenSerializer,
    RunFieldsSerializer,
    RunListFieldsSerializer,
    RunSerializer,
    WholeLumisectionsSerializer,
    body_of_change,
    body_of_lumisections,
    body_of_run,
)

LARGEST_SEQUENCE = 2**63 - 1
MOST_CHANGES = 1000
STALE = OpenApiResponse({"$ref": "#/components/schemas/Detail"}, "The run is not at the version that If-Match names.")
ETAG = OpenApiParameter("ETag", str, OpenApiParameter.HEADER, response=[200, 201], description='The version: `"3"`.')
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description='`"3"`: only if the run is at version 3. `*`: only if it exists.',
)
RUN = OpenApiParameter(
    "run",
    {"type": "integer", "minimum": 1, "maximum": LARGEST_RUN},
    OpenApiParameter.PATH,
    description="run number",
)
ENTITY_TAG = re.compile(r'"([0-9]{1,9})"')


def expected_version(request: Request) -> int | None:
    """The version that If-Match names, None without the header. Raises ValidationError for anything else."""
    header = request.headers.get("If-Match")
    if header is None:
        return None
    if header.strip() == "*":
        return services.ANY_VERSION
    match = ENTITY_TAG.fullmatch(header.strip())
    if match is None or match[1] == "0":
        raise ValidationError(
            {"If-Match": 'Send one version in quotes, such as "3", as the ETag header gave it; or *.'}
        )
    return int(match[1])


def actor_of(request: Request) -> User:
    return cast("User", request.user)  # ViewerReads lets nobody else come this far


def answer(run: Run, body: Any, status: int = 200) -> Response:
    return Response(body, status=status, headers={"ETag": f'"{run.version}"'})


class RunListView(ListAPIView[Run]):
    """Runs in ascending order."""

    serializer_class = RunSerializer
    filterset_class = RunFilter
    keyset = "number"

    def get_queryset(self) -> QuerySet[Run]:
        return Run.objects.order_by("number")

    @extend_schema(operation_id="list_runs", tags=["runs"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class RunView(APIView):
    """One run."""

    @extend_schema(operation_id="read_run", tags=["runs"], parameters=[RUN, ETAG], responses=RunSerializer)
    def get(self, request: Request, run: int) -> Response:
        """The facts of a run, with its version as entity tag."""
        found = selectors.find_run(run)
        return answer(found, body_of_run(found))

    @extend_schema(
        operation_id="put_run",
        tags=["runs"],
        parameters=[RUN, IF_MATCH, ETAG],
        request=RunFieldsSerializer,
        responses={200: RunSerializer, 201: RunSerializer, 412: STALE},
    )
    def put(self, request: Request, run: int) -> Response:
        """Create or change a run. Fields left out stay as they are; equal facts leave the version alone."""
        put = services.put_run(
            actor=actor_of(request),
            run=run,
            facts=cast("dict[str, Any]", request.data),
            if_version=expected_version(request),
        )
        return answer(put.run, body_of_run(put.run), 201 if put.outcome == "created" else 200)


class RunBulkView(APIView):
    """Many runs in one request."""

    @extend_schema(
        operation_id="put_runs", tags=["runs"], request=RunListFieldsSerializer, responses=BulkOutcomeSerializer
    )
    def post(self, request: Request) -> Response:
        """Create or change many runs, all or none."""
        runs = one_list(request.data, "runs")
        outcome = services.put_runs(actor=actor_of(request), runs=runs)
        return Response({"created": outcome.created, "updated": outcome.updated, "unchanged": outcome.unchanged})


def one_list(body: Any, name: str) -> list[Any]:
    """The list that is all a body holds. Raises ValidationError naming what is missing or not known."""
    problems = {str(key)[:80]: f"There is no such field. Send “{name}”." for key in body if key != name}
    if not isinstance(body.get(name), list):
        problems[name] = "Send a list."
    if problems:
        raise ValidationError(problems)
    found: list[Any] = body[name]
    return found


class LumisectionsView(APIView):
    """The lumisections of a run, as columns."""

    @extend_schema(
        operation_id="read_lumisections", tags=["runs"], parameters=[RUN, ETAG], responses=WholeLumisectionsSerializer
    )
    def get(self, request: Request, run: int) -> Response:
        """All columns from lumisection 1 on, null where a value is not known; and the condition flags."""
        found = selectors.find_run(run)
        return answer(found, body_of_lumisections(found))

    @extend_schema(
        operation_id="put_lumisections",
        tags=["runs"],
        parameters=[RUN, IF_MATCH, ETAG],
        request=LumisectionsSerializer,
        responses={200: LumisectionsWrittenSerializer, 412: STALE},
    )
    def put(self, request: Request, run: int) -> Response:
        """Set values from lumisection `first` on. Columns and flags left out stay as they are; null is not known."""
        columns = dict(request.data)
        first = columns.pop("first", 1)
        flags = columns.pop("flags", {})
        if not columns and "flags" not in request.data:
            raise ValidationError("Nothing to write: send at least one column, or “flags”.")
        put = services.put_lumisections(
            actor=actor_of(request),
            run=run,
            first=first,
            columns=columns,
            flags=flags,
            if_version=expected_version(request),
        )
        body = {
            "run": put.run.number,
            "lumisections": put.run.last_lumisection,
            "version": put.run.version,
            "changed": put.lumisections,
            "changed_flags": put.flags,
        }
        return answer(put.run, body)


class ChangesView(APIView):
    """The feed that a mirror follows."""

    @extend_schema(
        operation_id="list_changes",
        tags=["changes"],
        parameters=[
            OpenApiParameter(
                "after",
                {"type": "integer", "minimum": 0, "maximum": LARGEST_SEQUENCE, "default": 0},
                description="the last sequence seen",
            ),
            OpenApiParameter("limit", {"type": "integer", "minimum": 1, "maximum": MOST_CHANGES, "default": 100}),
        ],
        responses=ChangesSerializer,
    )
    def get(self, request: Request) -> Response:
        """Changes after a sequence, in commit order and without a gap. Ask again with `after` = `next`."""
        after = whole_parameter(request, "after", 0, 0, LARGEST_SEQUENCE)
        limit = whole_parameter(request, "limit", 100, 1, MOST_CHANGES)
        changes = [body_of_change(change) for change in selectors.changes_after(after, limit)]
        return Response({"changes": changes, "next": changes[-1]["sequence"] if changes else after})


def whole_parameter(request: Request, name: str, default: int, low: int, high: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and low <= int(text) <= high):
        raise ValidationError({name: f"Send a whole number from {low} to {high}."})
    return int(text)


urlpatterns: list[URLPattern] = [
    path("runs/", RunListView.as_view(), name="runs"),
    path("runs/bulk/", RunBulkView.as_view(), name="runs-bulk"),
    path("runs/<int:run>/", RunView.as_view(), name="run"),
    path("runs/<int:run>/lumisections/", LumisectionsView.as_view(), name="run-lumisections"),
    path("changes/", ChangesView.as_view(), name="changes"),
]
