"""REST of this room; its addresses are below /api/v1/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, Final, cast

from django.conf import settings
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from certifier.accounts.models import User
from certifier.audit.errors import TooLarge
from certifier.lumi import LARGEST_RUN, LumiSet
from certifier.runs.models import Run
from certifier.runs.selectors import find_run

from . import json_body, parquet_body, selectors, services
from .models import Element
from .selectors import Coverage
from .serializers import (
    ElementChangeSerializer,
    ElementSerializer,
    HistogramsSerializer,
    IngestedSerializer,
    RunHistogramsSerializer,
)

# Numbers in one answer; as JSON some ten megabytes.
MOST_NUMBERS: Final = 2_000_000
PARQUET: Final = "application/vnd.apache.parquet"
OCTETS: Final = "application/octet-stream"
RUN = OpenApiParameter(
    "run", {"type": "integer", "minimum": 1, "maximum": LARGEST_RUN}, OpenApiParameter.PATH, description="run number"
)
PATH = OpenApiParameter("path", OpenApiTypes.STR, OpenApiParameter.PATH, description="EcalBarrel/occupancy")


def actor_of(request: Request) -> User:
    return cast("User", request.user)  # nobody without a role comes this far


class OctetsParser(BaseParser):
    """The body as bytes. 413 beyond MAX_BODY_BYTES."""

    media_type = OCTETS

    def parse(  # type: ignore[override]  # bytes are data too
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> bytes:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"The body is larger than {limit:,} bytes. Split it into several requests.")
        return body


class ParquetParser(OctetsParser):
    media_type = PARQUET


class Histograms(APIView):
    """The histograms of a run, per lumisection."""

    parser_classes = (*cast("Any", api_settings.DEFAULT_PARSER_CLASSES), ParquetParser, OctetsParser)

    @extend_schema(
        operation_id="read_histograms",
        tags=["histograms"],
        parameters=[
            RUN,
            OpenApiParameter("element", many=True, description="Only this element; repeatable."),
            OpenApiParameter("lumisections", description="Only these: `1-4 9 20-728`."),
            OpenApiParameter("dataset", description="Without it the furthest processed one that has histograms."),
        ],
        responses=RunHistogramsSerializer,
    )
    def get(self, request: Request, run: int) -> Response:
        """What counts now of each element: of histograms that were sent several times the last."""
        row = find_run(run)
        query = request.query_params
        paths = query.getlist("element")
        for name in paths:
            selectors.find_element(name)
        chosen = LumiSet.parse(query["lumisections"]) if "lumisections" in query else None
        coverage = selectors.coverage_of_run(row, paths=paths)
        dataset = selectors.choose_dataset(row, coverage, query.get("dataset", ""))
        found = _within_reason(row, coverage.get(dataset, []) if dataset else [], chosen)
        body = {"run": run, "dataset": dataset.name if dataset else None, "histograms": json_body.written(found)}
        return Response(body)

    @extend_schema(
        operation_id="send_histograms",
        tags=["histograms"],
        parameters=[
            RUN,
            OpenApiParameter("dataset", description="Made when it is not known. May be left out where a run has one."),
        ],
        request={
            "application/json": HistogramsSerializer,
            PARQUET: OpenApiTypes.BINARY,
            OCTETS: OpenApiTypes.BINARY,
        },
        responses={200: IngestedSerializer, 201: IngestedSerializer},
    )
    def post(self, request: Request, run: int) -> Response:
        """Store histograms of a run, all or none; coordinators and their robots.

        201 when something was new or differed, 200 when everything was there already. A histogram that is sent again
        with other counts counts from now on.
        """
        # All of the body first: a client that still sends does not hear a refusal.
        body: Any = request.data
        row = find_run(run)
        blocks = parquet_body.read(body, run) if isinstance(body, bytes) else json_body.read(body, run)
        done = services.ingest(actor=actor_of(request), run=run, dataset=_dataset_name(row, request), blocks=blocks)
        answer = {
            "run": run,
            "dataset": done.dataset,
            "histograms": done.histograms,
            "unchanged": done.unchanged,
            "lumisections": str(done.lumisections),
            "new_elements": list(done.new_elements),
        }
        return Response(answer, status=201 if done.changed else 200)


def _within_reason(run: Run, coverage: list[Coverage], chosen: LumiSet | None) -> list[Any]:
    numbers = 0
    for each in coverage:
        rows = len(each.lumisections if chosen is None else each.lumisections & chosen)
        bins = 1
        for count in each.element.bins:
            bins *= count
        numbers += rows * bins
    if numbers > MOST_NUMBERS:
        raise TooLarge(
            f"The answer would hold {numbers:,} numbers; {MOST_NUMBERS:,} is the most. "
            "Ask for fewer elements (element=) or lumisections (lumisections=)."
        )
    return list(selectors.histograms(run, coverage, chosen).values())


def _dataset_name(run: Run, request: Request) -> str:
    """The one that is named, or the only one of the run. Raises ValidationError."""
    name = request.query_params.get("dataset", "").strip()
    if name:
        return name
    known = list(run.datasets.values_list("name", flat=True)[:20])
    if len(known) == 1:
        return known[0]
    which = f" Run {run.number} has {', '.join(known)}." if known else ""
    raise ValidationError({"dataset": f"Name the dataset that the histograms are of: ?dataset=NAME.{which}"})


class Elements(ListAPIView[Element]):
    """Monitoring elements by path."""

    serializer_class = ElementSerializer
    filter_backends = ()
    keyset = "path"

    def get_queryset(self) -> QuerySet[Element]:
        rows = Element.objects.select_related("system")
        codes = self.request.query_params.getlist("system") if hasattr(self, "request") else []
        return rows.filter(system__code__in=codes) if codes else rows

    @extend_schema(
        operation_id="list_elements",
        tags=["histograms"],
        parameters=[OpenApiParameter("system", many=True, description="Only those of this system; repeatable.")],
        responses=ElementSerializer(many=True),
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What is filled per lumisection, with its axes. An element comes with its first histograms."""
        return super().get(request, *args, **kwargs)


class OneElement(APIView):
    """One monitoring element."""

    @extend_schema(operation_id="read_element", tags=["histograms"], parameters=[PATH], responses=ElementSerializer)
    def get(self, request: Request, path: str) -> Response:
        """Its axes, and who looks after it."""
        return Response(ElementSerializer(selectors.find_element(path)).data)

    @extend_schema(
        operation_id="change_element",
        tags=["histograms"],
        parameters=[PATH],
        request=ElementChangeSerializer,
        responses=ElementSerializer,
    )
    def patch(self, request: Request, path: str) -> Response:
        """Say which system looks after it, and in which group its errors are reported. Coordinators."""
        element = selectors.find_element(path)
        given = cast("dict[str, Any]", request.data)
        if unknown := sorted(set(given) - {"system", "physics_object"}):
            raise ValidationError(dict.fromkeys(unknown, "There is no such field."))
        return Response(
            ElementSerializer(services.change_element(actor=actor_of(request), element=element, **given)).data
        )


urlpatterns = [
    path("runs/<int:run>/histograms/", Histograms.as_view(), name="run-histograms"),
    path("elements/", Elements.as_view(), name="elements"),
    path("elements/<path:path>/", OneElement.as_view(), name="element"),
]
