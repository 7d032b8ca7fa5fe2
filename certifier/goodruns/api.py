"""REST of this room; its addresses are below /api/v1/."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath
from typing import Any, cast

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError, TooLarge
from certifier.defects.as_of import tag_named
from certifier.defects.errors import UnknownTag
from certifier.defects.models import Tag
from certifier.lumi import LumiError, RunSelection

from . import building, comparing, contents, formats, selectors, services
from .known import loss_known
from .lengths import length_of_run
from .models import GoodRunList
from .rest_output import difference_output, list_output, loss_output, preview_output, summary_output
from .serializers import (
    CombineInput,
    DifferenceOutput,
    ImportInput,
    ListInput,
    ListOutput,
    ListSummaryOutput,
    LossOutput,
    PreviewOutput,
)

MOST_FLAGS = 10
ID = OpenApiParameter("id", {"type": "integer", "minimum": 1}, OpenApiParameter.PATH, description="of a good-run list")
OTHER = OpenApiParameter(
    "other", {"type": "integer", "minimum": 1}, OpenApiParameter.PATH, description="of another one"
)
RUNS = OpenApiParameter("runs", description="Only these runs, such as 391658-393461.")
FLAG = OpenApiParameter(
    "flag", many=True, description="Only where this condition held, such as stable_beams; repeatable."
)
ETAG = OpenApiParameter("ETag", str, OpenApiParameter.HEADER, response=[200], description="Changes with the content.")
GOLDEN = {
    "type": "object",
    "additionalProperties": {
        "type": "array",
        "items": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
    },
}


def actor_of(request: Request) -> User:
    return cast("User", request.user)  # nobody without a role comes this far


class GoodRunLists(ListAPIView[GoodRunList]):
    """Good-run lists, the newest first."""

    keyset = "-id"
    filterset_fields = {"name": ["exact"], "origin": ["exact"]}
    serializer_class = ListSummaryOutput

    def get_queryset(self) -> QuerySet[GoodRunList]:
        return selectors.lists()

    @extend_schema(operation_id="list_good_run_lists", tags=["good-run-lists"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Every list with its facts; what is in it is in golden.json."""
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response([summary_output(each) for each in page or ()])

    @extend_schema(
        operation_id="build_good_run_list",
        tags=["good-run-lists"],
        request=ListInput,
        responses={201: ListOutput, 200: ListOutput},
    )
    def post(self, request: Request) -> Response:
        """Publish the lumisections where every required virtual defect is absent. Coordinators only.

        What is not known to be good is left out. Asking again in the same words for a list that exists with the same
        content answers that list with 200; another list of that name is 409.
        """
        body = ListInput(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data | {"tag": tag_of(body.validated_data["tag"])}
        return published(services.build_list(actor=actor_of(request), **given))


class Preview(APIView):
    @extend_schema(
        operation_id="preview_good_run_list",
        tags=["good-run-lists"],
        request=ListInput,
        responses={200: PreviewOutput},
    )
    def post(self, request: Request) -> Response:
        """What a list would hold and which runs would be left out, without publishing it. Any role."""
        body = ListInput(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        for field in ("name", "description"):
            del given[field]
        given["tag"] = tag_of(given["tag"])
        return Response(preview_output(building.build(building.ask(**given))))


class OneList(APIView):
    @extend_schema(operation_id="read_good_run_list", tags=["good-run-lists"], parameters=[ID], responses=ListOutput)
    def get(self, request: Request, id: int) -> Response:  # noqa: A002 - as the contract calls it
        """A list with its provenance and what is known today of its luminosity."""
        return Response(list_output(selectors.find_list(id)))


class Download(APIView):
    """A list as a file."""

    form: formats.Format = "golden-json"

    def answer(self, request: Request, key: int) -> HttpResponse:
        list_ = selectors.find_list(key)
        return file_response(request, list_, self.form)


def file_response(request: HttpRequest | Request, list_: GoodRunList, form: formats.Format) -> HttpResponse:
    """The list as a download, or 304 when the client has these very bytes."""
    data = contents.export(list_, form)
    etag = f'"{hashlib.sha256(data).hexdigest()}"'
    if request.headers.get("If-None-Match") == etag:
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(data, content_type=formats.CONTENT_TYPES[form])
        response["Content-Disposition"] = f'attachment; filename="{contents.file_name(list_, form)}"'
    response["ETag"] = etag
    return response


class GoldenJson(Download):
    @extend_schema(
        operation_id="read_golden_json",
        tags=["good-run-lists"],
        parameters=[ID, ETAG],
        responses={(200, "application/json"): GOLDEN},
    )
    def get(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        """The canonical golden JSON: the sha256 of these bytes is the list's."""
        return self.answer(request, id)


class GrlXml(Download):
    form = "grl-xml"

    @extend_schema(
        operation_id="read_grl_xml",
        tags=["good-run-lists"],
        parameters=[ID, ETAG],
        responses={(200, "application/xml"): OpenApiTypes.STR},
    )
    def get(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        """The list as GRL XML; the metadata of an imported one as they were."""
        return self.answer(request, id)


class Csv(Download):
    form = "csv"

    @extend_schema(
        operation_id="read_good_run_csv",
        tags=["good-run-lists"],
        parameters=[ID, ETAG],
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, id: int) -> HttpResponse:  # noqa: A002
        """One row per range: run,first,last."""
        return self.answer(request, id)


class Loss(APIView):
    @extend_schema(operation_id="read_loss", tags=["good-run-lists"], parameters=[ID, FLAG], responses=LossOutput)
    def get(self, request: Request, id: int) -> Response:  # noqa: A002
        """What the list loses and to what: each lost lumisection is charged to the first defect met."""
        list_ = selectors.find_list(id)
        table = loss_known(list_, flags_of(request.query_params.getlist("flag")))
        return Response(loss_output(list_, table))


class Difference(APIView):
    @extend_schema(
        operation_id="diff_good_run_lists",
        tags=["good-run-lists"],
        parameters=[ID, OTHER, RUNS],
        responses=DifferenceOutput,
    )
    def get(self, request: Request, id: int, other: int) -> Response:  # noqa: A002
        """What only one of two lists has, run by run."""
        first, second = selectors.find_lists(id, other)
        runs = selection_of(request.query_params.get("runs", ""))
        return Response(difference_output(first, second, comparing.compare_lists(first, second, runs)))


class Import(APIView):
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="import_good_run_list",
        tags=["good-run-lists"],
        request={"multipart/form-data": ImportInput},
        responses={201: ListOutput, 200: ListOutput},
    )
    def post(self, request: Request) -> Response:
        """Take over a list made elsewhere. Coordinators only. The same content under the same name again is 200."""
        body = ImportInput(data=request.data)
        body.is_valid(raise_exception=True)
        permissions.require(permissions.can_publish(request.user))
        file = cast("UploadedFile", body.validated_data["file"])
        source = file.name or "file"
        list_ = services.import_list(
            actor=actor_of(request),
            name=body.validated_data.get("name") or PurePosixPath(source).stem,
            file=formats.read(bytes_of(file), length_of_run()),
            source=source,
        )
        return published(list_)


class Combine(APIView):
    @extend_schema(
        operation_id="combine_good_run_lists",
        tags=["good-run-lists"],
        request=CombineInput,
        responses={201: ListOutput, 200: ListOutput},
    )
    def post(self, request: Request) -> Response:
        """A list out of others: and, or, xor of all, or the first minus all others. Coordinators only."""
        body = CombineInput(data=request.data)
        body.is_valid(raise_exception=True)
        given = body.validated_data
        found = GoodRunList.objects.in_bulk(given["lists"])
        for index, key in enumerate(given["lists"]):
            if key not in found:
                raise CertifierError(f"There is no good-run list {key}.", field="lists", index=index)
        given["lists"] = [found[key] for key in given["lists"]]
        return published(services.combine(actor=actor_of(request), **given))


def published(list_: GoodRunList) -> Response:
    return Response(list_output(list_), status=200 if list_.already_there else 201)


def tag_of(name: str | None) -> Tag | None:
    if name is None or name.upper() == "HEAD":
        return None
    try:
        return tag_named(name)
    except UnknownTag as error:
        raise building.BuildRefused(error.message, field="tag") from None


def flags_of(names: list[str]) -> list[str]:
    if len(names) > MOST_FLAGS or any("\0" in name for name in names):
        raise CertifierError(f"Give at most {MOST_FLAGS} names of condition flags.", field="flag")
    return list(dict.fromkeys(names))


def selection_of(text: str) -> RunSelection:
    try:
        return RunSelection.parse(text)
    except LumiError as error:
        raise CertifierError(str(error), field="runs") from None


def bytes_of(file: UploadedFile) -> bytes:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if file.size is None or file.size > limit:
        raise TooLarge(f"The file is larger than {limit:,} bytes, which no good-run list is.")
    return file.read()


urlpatterns = [
    path("good-run-lists/", GoodRunLists.as_view(), name="good-run-lists"),
    path("good-run-lists/preview/", Preview.as_view(), name="good-run-list-preview"),
    path("good-run-lists/import/", Import.as_view(), name="good-run-list-import"),
    path("good-run-lists/combine/", Combine.as_view(), name="good-run-list-combine"),
    path("good-run-lists/<int:id>/", OneList.as_view(), name="good-run-list"),
    path("good-run-lists/<int:id>/golden.json", GoldenJson.as_view(), name="good-run-list-golden"),
    path("good-run-lists/<int:id>/grl.xml", GrlXml.as_view(), name="good-run-list-grl"),
    path("good-run-lists/<int:id>/csv", Csv.as_view(), name="good-run-list-csv"),
    path("good-run-lists/<int:id>/loss/", Loss.as_view(), name="good-run-list-loss"),
    path("good-run-lists/<int:id>/diff/<int:other>/", Difference.as_view(), name="good-run-list-diff"),
]
