"""REST of this room; its addresses are below /api/v1/. Everybody reads the own notices only."""

from __future__ import annotations

from typing import Any, cast

import django_filters as filters
from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from certifier.accounts.models import User
from certifier.review.strict import StrictSerializer

from . import services
from .models import Kind, Notice
from .words import address

TAGS = ["notices"]
LARGEST_KEY = 2**63 - 1
MOST_IDS = 1000


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    """What a person is told. `count` things of one topic that happened from `since` to `at` were joined; `up_to` is
    the newest of them, for notices/read/."""

    kind = serializers.ChoiceField(choices=Kind.choices)
    system = serializers.CharField(source="system.code", default=None, allow_null=True)
    count = serializers.IntegerField(min_value=1)
    title = serializers.CharField()
    text = serializers.CharField(source="event.text")
    url = serializers.SerializerMethodField()
    data = serializers.DictField(  # type: ignore[assignment]  # the base class has a property of that name
        source="event.data", help_text="of the newest, as in the change feed"
    )
    up_to = serializers.IntegerField(source="event_id")

    class Meta:
        model = Notice
        fields = ["id", "kind", "system", "count", "title", "text", "url", "data", "up_to", "since", "at", "read_at"]

    def get_url(self, notice: Notice) -> str:
        return address(notice.event.path)


class NoticeFilter(filters.FilterSet):
    kind = filters.ChoiceFilter(choices=Kind.choices, label="kind")
    unread = filters.BooleanFilter(field_name="read_at", lookup_expr="isnull", label="whether it is unread")

    class Meta:
        model = Notice
        fields: list[Any] = []


class Notices(ListAPIView[Notice]):
    queryset = Notice.objects.none()  # for the schema, which nobody asks for
    serializer_class = NoticeSerializer
    filterset_class = NoticeFilter
    keyset = "-id"

    def get_queryset(self) -> QuerySet[Notice]:
        return Notice.objects.of(self.request.user).select_related("event", "system")

    @extend_schema(operation_id="list_notices", tags=TAGS)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What the token's owner is told, the newest first."""
        return super().get(request, *args, **kwargs)


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "enum": ["all"]},
            {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": LARGEST_KEY},
                "minItems": 1,
                "maxItems": MOST_IDS,
            },
        ],
        "description": "ids of notices, or “all”",
    }
)
class IdsOrAll(serializers.Field[Any, Any, Any, Any]):
    def to_internal_value(self, data: Any) -> list[int] | None:
        if data == "all":
            return None
        if not isinstance(data, list) or not 1 <= len(data) <= MOST_IDS:
            raise serializers.ValidationError(f"Send “all”, or a list of 1 to {MOST_IDS} ids.")
        if not all(isinstance(each, int) and not isinstance(each, bool) and 1 <= each <= LARGEST_KEY for each in data):
            raise serializers.ValidationError("Ids are whole numbers from 1.")
        return list(data)

    def to_representation(self, value: Any) -> Any:
        return value


class ReadInput(StrictSerializer):
    ids = IdsOrAll()
    up_to = serializers.IntegerField(
        min_value=1,
        max_value=LARGEST_KEY,
        required=False,
        allow_null=True,
        default=None,
        help_text="what joined after this stays unread: the `up_to` that was read",
    )


class ReadAnswer(serializers.Serializer[Any]):
    read = serializers.IntegerField(min_value=0, help_text="how many were unread until now")


class Read(APIView):
    @extend_schema(operation_id="read_notices", tags=TAGS, request=ReadInput, responses=ReadAnswer)
    def post(self, request: Request) -> Response:
        """Notices of the token's owner are read. An id that is not the owner's is 404, and nothing is marked."""
        body = ReadInput(data=request.data)
        body.is_valid(raise_exception=True)
        actor = cast("User", request.user)  # ViewerReads lets nobody else come this far
        count = services.mark_read(actor=actor, **body.validated_data)
        return Response({"read": count})


urlpatterns = [
    path("notices/", Notices.as_view(), name="notices"),
    path("notices/read/", Read.as_view(), name="read-notices"),
]
