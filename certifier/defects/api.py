"""REST of this room; its addresses are below /api/v1/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, cast

from django.db.models import Max, QuerySet
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from certifier.accounts.models import User
from certifier.audit.errors import CertifierError, NotFound, PreconditionFailed
from certifier.lumi import LumiError, RunSelection
from certifier.runs.selectors import find_run

from . import selectors, services, upload, upload_text
from .as_of import AsOf, as_of
from .errors import DefinitionChanged, UnknownFilter
from .models import Defect, Definition, Source, Tag
from .rest_output import entry_output, meaning_output, run_defects_output, tag_diff_output, upload_output
from .serializers import (
    DefectInput,
    DefectOutput,
    EntriesInput,
    EntriesOutput,
    HistoryOutput,
    RunDefectsOutput,
    TagDiffOutput,
    TagInput,
    TagOutput,
    UploadOutput,
    read_entries,
)
from .tag_diff import tag_diff

TAG = OpenApiParameter("tag", description="A tag instead of HEAD.")
SYSTEM = OpenApiParameter("system", many=True, description="Only defects of this system; repeatable.")
DEFECT = OpenApiParameter("defect", many=True, description="Only this defect; repeatable.")
IGNORE = OpenApiParameter("ignore", many=True, description="Counts as never set and is not answered; repeatable.")
FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}


STALE = OpenApiResponse({"$ref": "#/components/schemas/Detail"}, "The definition is not what If-Match names.")


class Name(OpenApiParameter):
    def __init__(self, name: str, description: str) -> None:
        super().__init__(name, OpenApiTypes.STR, OpenApiParameter.PATH, description=description)


def flag(request: Request, name: str, default: bool = False) -> bool:
    """A query parameter that is true or false."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if text.lower() not in FLAGS:
        raise UnknownFilter("Write true or false.", field=name)
    return FLAGS[text.lower()]


def actor_of(request: Request) -> User:
    return cast("User", request.user)  # nobody without a role comes this far


# --- definitions ------------------------------------------------------------------------------------------------


class Defects(generics.ListAPIView[Any]):
    """The definitions in force, by name; at a tag, those of the tag."""

    serializer_class = DefectOutput
    filter_backends = ()
    keyset: str | tuple[str, ...] = "name_key"

    @extend_schema(
        operation_id="list_defects",
        parameters=[
            TAG,
            SYSTEM,
            OpenApiParameter("virtual", OpenApiTypes.BOOL, description="Only virtual, or only primary defects."),
            OpenApiParameter("intolerable", OpenApiTypes.BOOL, description="Only intolerable defects, or only others."),
        ],
        responses={200: DefectOutput(many=True)},
    )
    def get(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Primary and virtual defects. A virtual one has an expression."""
        return super().get(request, *args, **kwargs)

    @extend_schema(operation_id="define_defect", request=DefectInput, responses={201: DefectOutput})
    def post(self, request: Request) -> Response:
        """Define a defect; an expression makes it virtual. Experts of its system and coordinators."""
        serializer = DefectInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        defect = services.define_defect(actor=actor_of(request), **serializer.validated_data)
        return defect_answer(selectors.defect_named(defect.name), status=201)

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return Defect.objects.none()
        query = self.request.query_params
        moment = as_of(query.get("tag"))
        if moment.is_head:
            rows: QuerySet[Any] = Defect.objects.all()
        else:
            self.keyset = ("name", "pk")
            rows = Definition.objects.filter(pk__in=newest_definitions(moment))
        if codes := query.getlist("system"):
            known = selectors.known_systems(codes)
            rows = rows.filter(system__in=[pk for pk, code in selectors.system_codes() if code.lower() in known])
        if "virtual" in query:
            rows = rows.filter(expression__isnull=not flag(self.request, "virtual"))
        if "intolerable" in query:
            rows = rows.filter(intolerable=flag(self.request, "intolerable"))
        return rows.select_related("system")


def newest_definitions(moment: AsOf) -> QuerySet[Any]:
    """The primary keys of the definitions in force at the moment."""
    upto = Definition.objects.filter(version_id__lte=moment.version or 0).order_by()
    return upto.values("defect").annotate(newest=Max("pk")).values("newest")


class OneDefect(APIView):
    """One definition, by name in any case."""

    @extend_schema(
        operation_id="read_defect", parameters=[Name("name", "in any case"), TAG], responses={200: DefectOutput}
    )
    def get(self, request: Request, name: str) -> Response:
        """What a defect is called and means now, or meant at a tag. The ETag is its logic version."""
        moment = as_of(request.query_params.get("tag"))
        if moment.is_head:
            return defect_answer(selectors.defect_named(name))
        meaning = moment.logic().definitions.find(name)
        if meaning is None:
            raise NotFound(f"There was no defect “{name[:60]}” at tag {moment.name}.")
        return Response(meaning_output(meaning), headers={"ETag": f'"{meaning.since}"'})

    @extend_schema(
        operation_id="change_defect",
        parameters=[
            Name("name", "in any case"),
            OpenApiParameter("If-Match", location=OpenApiParameter.HEADER, description="The ETag you read; else 412."),
        ],
        request=DefectInput(partial=True),
        responses={200: DefectOutput, 412: STALE},
    )
    def patch(self, request: Request, name: str) -> Response:
        """Change name, system, description, expression or intolerable: a new logic version; tags keep theirs."""
        defect = selectors.defect_named(name)
        serializer = DefectInput(data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        expected = expected_version(request)
        try:
            defect = services.change_defect(
                actor=actor_of(request), defect=defect, expected_version=expected, **serializer.validated_data
            )
        except DefinitionChanged as error:
            raise PreconditionFailed(error.message) from error
        return defect_answer(defect)


def expected_version(request: Request) -> int | None:
    text = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if text in ("", "*"):
        return None
    # What is no version of ours matches nothing, like any other that is not current.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def defect_answer(defect: Defect, status: int = 200) -> Response:
    version = Definition.objects.filter(defect=defect).aggregate(newest=Max("version_id"))["newest"]
    return Response(DefectOutput(defect).data, status=status, headers={"ETag": f'"{version}"'})


# --- entries ----------------------------------------------------------------------------------------------------


class Entries(APIView):
    @extend_schema(operation_id="record_entries", request=EntriesInput, responses={201: EntriesOutput})
    def post(self, request: Request) -> Response:
        """Record entries on primary defects: all or none. Shifters, experts of the systems, coordinators."""
        entries = read_entries(cast("Mapping[str, Any]", request.data))
        rows = services.record_entries(actor=actor_of(request), entries=entries, source=Source.REST)
        names = dict(Defect.objects.filter(pk__in={row.defect_id for row in rows}).values_list("pk", "name"))
        said = [entry_output(row, new.run, names[row.defect_id]) for row, new in zip(rows, entries, strict=True)]
        return Response({"entries": said, "head": rows[-1].pk}, status=201)


class UploadTextParser(BaseParser):
    """The body as text. What is beyond the limit is read and thrown away: a client that still sends hears nothing."""

    media_type = "text/plain"

    def parse(  # type: ignore[override]  # a text is data too
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> str:
        body = stream.read(upload_text.MAX_BYTES + 1)
        while len(body) > upload_text.MAX_BYTES and stream.read(1 << 20):
            pass
        return upload_text.decode(body)


class UploadEntries(APIView):
    parser_classes = (UploadTextParser,)

    @extend_schema(
        operation_id="upload_entries",
        parameters=[
            OpenApiParameter("dry_run", OpenApiTypes.BOOL, description="Only say what each line would change.")
        ],
        request={"text/plain": OpenApiTypes.STR},
        responses={200: UploadOutput, 201: UploadOutput},
    )
    def post(self, request: Request) -> Response:
        """Record an upload text, all lines or none; lines that say what is recorded already write nothing.

        201 when entries were written, 200 for a dry run and when nothing changes.
        """
        dry_run = flag(request, "dry_run")
        # REST framework parses no empty body; it is an upload without a line.
        text = cast("str", request.data) or ""
        done = upload.record_upload(actor=actor_of(request), text=text, dry_run=dry_run)
        return Response(upload_output(done), status=201 if done.entries else 200)


# --- runs -------------------------------------------------------------------------------------------------------

RUN = OpenApiParameter("run", OpenApiTypes.INT, OpenApiParameter.PATH, description="run number")


class DefectsOfRun(APIView):
    @extend_schema(
        operation_id="read_run_defects",
        parameters=[
            RUN,
            TAG,
            SYSTEM,
            DEFECT,
            IGNORE,
            OpenApiParameter("absent", OpenApiTypes.BOOL, description="Also what is recorded absent."),
        ],
        responses={200: RunDefectsOutput},
    )
    def get(self, request: Request, run: int) -> Response:
        """What is present in a run, as intervals that ascend and do not overlap; virtual defects with their causes."""
        query = request.query_params
        answer = selectors.run_defects(
            find_run(run),
            query.get("tag"),
            systems=query.getlist("system"),
            defects=query.getlist("defect"),
            ignore=query.getlist("ignore"),
            absent=flag(request, "absent"),
        )
        return Response(run_defects_output(answer))


class HistoryOfRun(APIView):
    @extend_schema(operation_id="read_run_history", parameters=[RUN, TAG, DEFECT], responses={200: HistoryOutput})
    def get(self, request: Request, run: int) -> Response:
        """Every entry of a run in the order in which it was said, whole; at a tag, under the names of the tag."""
        query = request.query_params
        lines = selectors.history(find_run(run), query.get("tag"), defects=query.getlist("defect"))
        results = [entry_output(line.entry, run, line.defect) for line in lines]
        return Response({"next": None, "previous": None, "results": results})


# --- tags -------------------------------------------------------------------------------------------------------


@extend_schema_view(get=extend_schema(operation_id="list_tags"))
class Tags(generics.ListAPIView[Tag]):
    """Frozen pairs of entries and definitions, the newest first."""

    serializer_class = TagOutput
    filter_backends = ()
    queryset = Tag.objects.select_related("from_tag", "created_by")
    keyset = "-id"

    @extend_schema(operation_id="create_tag", request=TagInput, responses={201: TagOutput})
    def post(self, request: Request) -> Response:
        """Freeze what is true now (or at `from_tag`), for all runs or for some. Coordinators."""
        serializer = TagInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        tag = services.create_tag(
            actor=actor_of(request),
            name=given["name"],
            description=given.get("description", ""),
            from_tag=given.get("from_tag") or None,
            runs=given.get("runs") or "",
        )
        return Response(TagOutput(tag).data, status=201)


class TagDiff(APIView):
    @extend_schema(
        operation_id="diff_tags",
        parameters=[
            Name("a", "a tag, or HEAD"),
            Name("b", "a tag, or HEAD"),
            SYSTEM,
            IGNORE,
            OpenApiParameter("runs", description="Only these runs: `358031-364292`."),
            OpenApiParameter("virtual", OpenApiTypes.BOOL, description="Whether virtual defects are compared (true)."),
        ],
        responses={200: TagDiffOutput},
    )
    def get(self, request: Request, a: str, b: str) -> Response:
        """Lumisections present on one side only, per run and defect; definitions that differ; runs on one side only."""
        query = request.query_params
        diff = tag_diff(
            a,
            b,
            systems=selectors.known_systems(query.getlist("system")),
            ignore=query.getlist("ignore"),
            runs=run_selection(query.get("runs")),
            virtual=flag(request, "virtual", default=True),
        )
        return Response(tag_diff_output(diff))


def run_selection(text: str | None) -> RunSelection | None:
    try:
        return RunSelection.parse(text) if text else None
    except LumiError as error:
        raise CertifierError(str(error), field="runs") from error


urlpatterns = [
    path("defects/", Defects.as_view(), name="defects"),
    path("defects/<str:name>/", OneDefect.as_view(), name="defect"),
    path("defect-entries/", Entries.as_view(), name="defect-entries"),
    path("defect-entries/upload/", UploadEntries.as_view(), name="defect-entries-upload"),
    path("runs/<int:run>/defects/", DefectsOfRun.as_view(), name="run-defects"),
    path("runs/<int:run>/defects/history/", HistoryOfRun.as_view(), name="run-defects-history"),
    path("tags/", Tags.as_view(), name="tags"),
    path("tags/<str:a>/diff/<str:b>/", TagDiff.as_view(), name="tag-diff"),
]
