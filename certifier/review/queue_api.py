"""REST of the queue; its addresses are below /api/v1/."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from certifier.accounts.models import User
from certifier.accounts.selectors import system_named
from certifier.audit.errors import CertifierError
from certifier.precert.models import Verdict

from . import claims, deciding, queue
from .models import Answer, Decision, Item, ItemState, Kind
from .order import reason
from .strict import Choice, StrictSerializer, Text

KEY = {"type": "integer", "minimum": 1, "maximum": queue.LARGEST_KEY}
ITEM = OpenApiParameter("item", KEY, OpenApiParameter.PATH, description="its id")
DECISION = OpenApiParameter("decision", KEY, OpenApiParameter.PATH, description="its id")
TAGS = ["review"]
LONGEST_LUMISECTIONS = 100_000


class DecisionSerializer(serializers.ModelSerializer[Decision]):
    item = serializers.IntegerField(source="item_id")
    verdict = serializers.ChoiceField(source="answer", choices=Answer.choices)
    good = serializers.CharField(help_text="lumisections that are fine")
    bad = serializers.CharField(help_text="lumisections on which something is wrong")
    defects = serializers.ListField(child=serializers.IntegerField(), help_text="ids of what is wrong there")
    entries = serializers.ListField(child=serializers.IntegerField(), help_text="ids of the entries it wrote")
    undoes = serializers.IntegerField(source="undoes_id", allow_null=True)
    by = serializers.CharField(source="by_name")

    class Meta:
        model = Decision
        fields = ["id", "item", "verdict", "good", "bad", "defects", "entries", "undoes", "comment", "by", "at"]


class ReviewItemSerializer(serializers.Serializer[Item]):
    """While an item is open, `verdict`, `suspected_defect` and `score` may be null: then nobody is told them before the
    decision, and the item may be good, bad or unsure."""

    id = serializers.IntegerField()
    system = serializers.CharField(source="system.code")
    run = serializers.IntegerField(source="run.number")
    dataset = serializers.CharField(source="scoring.dataset.name")
    model = serializers.IntegerField(source="scoring.version_id")
    lumisections = serializers.CharField()
    state = serializers.ChoiceField(choices=ItemState.choices)
    verdict = serializers.SerializerMethodField()
    suspected_defect = serializers.SerializerMethodField()
    score = serializers.SerializerMethodField()
    is_audit = serializers.SerializerMethodField()
    recorded_inv_nb = serializers.FloatField(allow_null=True, help_text="at stake")
    reason = serializers.SerializerMethodField()
    what_changed = serializers.CharField(help_text="why it is asked again; empty when it was not asked before")
    since = serializers.DateTimeField()
    held_by = serializers.SerializerMethodField()
    held_until = serializers.SerializerMethodField()
    decisions = DecisionSerializer(many=True)

    @extend_schema_field({"type": "string", "nullable": True, "enum": [*Verdict.values, None]})
    def get_verdict(self, item: Item) -> str | None:
        return item.verdict if item.shows_verdict else None

    def get_suspected_defect(self, item: Item) -> str | None:
        return queue.suspicion(item) if item.shows_verdict else None

    def get_score(self, item: Item) -> float | None:
        return item.finding.score if item.shows_verdict and item.finding is not None else None

    def get_is_audit(self, item: Item) -> bool | None:
        """null while it is open: nobody is told."""
        return item.kind == Kind.AUDIT if item.state == ItemState.DECIDED else None

    def get_reason(self, item: Item) -> str:
        return reason(item)

    def get_held_by(self, item: Item) -> str | None:
        held = claims.live_claim_of(item)
        return held.by_name if held is not None else None

    def get_held_until(self, item: Item) -> str | None:
        held = claims.live_claim_of(item)
        return held.until.isoformat().replace("+00:00", "Z") if held is not None else None


class NextInput(StrictSerializer):
    system = Text(max_length=40, required=False, default="", allow_blank=True)
    run = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, allow_null=True, default=None)


class NextSerializer(serializers.Serializer[Any]):
    item = ReviewItemSerializer(allow_null=True, help_text="null when nothing waits that is free")


class DecisionInput(StrictSerializer):
    verdict = Choice(choices=[Answer.CONFIRM.value, Answer.OVERRIDE.value])
    lumisections = Text(
        max_length=LONGEST_LUMISECTIONS, required=False, default="", allow_blank=True,
        help_text="where what you say is so, if not on the whole item; on the rest the opposite holds",
    )  # fmt: skip
    defect = Text(
        max_length=1_000, required=False, default="", allow_blank=True,
        help_text="what is wrong, if not what is suspected; several separated by blanks",
    )  # fmt: skip
    comment = Text(max_length=deciding.LONGEST_COMMENT, required=False, default="", allow_blank=True)


class UndoInput(StrictSerializer):
    comment = Text(
        max_length=deciding.LONGEST_COMMENT, required=False, default="", allow_blank=True,
        help_text="the reason; required where the system was signed after the decision",
    )  # fmt: skip


class ReviewItems(ListAPIView[Item]):
    """Review items, those with most at stake first."""

    serializer_class = ReviewItemSerializer
    filter_backends = ()
    keyset = ("-weight", "id")

    def get_queryset(self) -> QuerySet[Item]:
        given = self.request.query_params
        rows = queue.with_words(Item.objects.all()).prefetch_related("decisions")
        state = given.get("state", ItemState.OPEN)
        if state not in ItemState.values:
            raise CertifierError(f"Use one of {', '.join(ItemState.values)}.", field="state")
        rows = rows.filter(state=state)
        if "system" in given:
            rows = rows.filter(system=system_named(given["system"]))
        if "run" in given:
            number = given["run"]
            if not (number.isascii() and number.isdigit() and len(number) < 10):
                raise CertifierError("Use a run number.", field="run")
            rows = rows.filter(run__number=int(number))
        return rows

    @extend_schema(
        operation_id="list_review_items",
        tags=TAGS,
        parameters=[
            OpenApiParameter("system", str, description="the code of one system"),
            OpenApiParameter("state", str, enum=ItemState.values, default="open"),
            OpenApiParameter("run", {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Review items, those with most at stake first; without `state` the open ones."""
        return super().get(request, *args, **kwargs)


class OneReviewItem(APIView):
    @extend_schema(operation_id="read_review_item", tags=TAGS, parameters=[ITEM], responses=ReviewItemSerializer)
    def get(self, request: Request, item: int) -> Response:
        """An item with all decisions about it."""
        return Response(ReviewItemSerializer(queue.find_item(item)).data)


class NextReviewItem(APIView):
    @extend_schema(operation_id="claim_next_review_item", tags=TAGS, request=NextInput, responses=NextSerializer)
    def post(self, request: Request) -> Response:
        """Hold the most urgent item of one's systems that nobody else holds, for ten minutes. No two people get the
        same. What one holds already comes first; `item` is null when nothing is free.
        """
        body = NextInput(data=request.data)
        body.is_valid(raise_exception=True)
        rows = Item.objects.all()
        if code := body.validated_data["system"]:
            rows = rows.filter(system=system_named(code))
        if number := body.validated_data["run"]:
            rows = rows.filter(run__number=number)
        found = claims.claim_next(actor=_actor(request), items=rows)
        item = queue.find_item(found.pk) if found is not None else None
        return Response(NextSerializer({"item": item}).data)


class ClaimReviewItem(APIView):
    @extend_schema(
        operation_id="claim_review_item", tags=TAGS, parameters=[ITEM], request=None, responses=ReviewItemSerializer
    )
    def post(self, request: Request, item: int) -> Response:
        """Hold an item for ten minutes, or for ten more. 409 when somebody else does."""
        claims.claim(actor=_actor(request), item=queue.find_item(item))
        return Response(ReviewItemSerializer(queue.find_item(item)).data)


class ReleaseReviewItem(APIView):
    @extend_schema(
        operation_id="release_review_item", tags=TAGS, parameters=[ITEM], request=None, responses=ReviewItemSerializer
    )
    def post(self, request: Request, item: int) -> Response:
        """Give an item back to the queue."""
        claims.release(actor=_actor(request), item=queue.find_item(item))
        return Response(ReviewItemSerializer(queue.find_item(item)).data)


class Decisions(APIView):
    @extend_schema(
        operation_id="decide_review_item",
        tags=TAGS,
        parameters=[ITEM],
        request=DecisionInput,
        responses={201: DecisionSerializer},
    )
    def post(self, request: Request, item: int) -> Response:
        """Say what is so: confirm that something is wrong there, or override. Experts of the system and coordinators.
        Writes the defect entries that this implies. Held by somebody else, decided already, or superseded: 409.
        """
        row = queue.find_item(item)
        body = DecisionInput(data=request.data)
        body.is_valid(raise_exception=True)
        given = dict(body.validated_data)
        given["defect"] = given["defect"].replace(",", " ").split()
        done = deciding.decide(actor=_actor(request), item=row, **given)
        return Response(DecisionSerializer(done).data, status=201)


class UndoDecision(APIView):
    @extend_schema(
        operation_id="undo_decision",
        tags=TAGS,
        parameters=[DECISION],
        request=UndoInput,
        responses={201: DecisionSerializer},
    )
    def post(self, request: Request, decision: int) -> Response:
        """Take a decision back, with the entries it wrote. The item is open again. Undone already: 409."""
        row = queue.find_decision(decision)
        body = UndoInput(data=request.data)
        body.is_valid(raise_exception=True)
        done = deciding.undo(actor=_actor(request), decision=row, reason=body.validated_data["comment"])
        return Response(DecisionSerializer(done).data, status=201)


def _actor(request: Request) -> User:
    return cast("User", request.user)  # ViewerReads lets nobody else come this far


urlpatterns = [
    path("review-items/", ReviewItems.as_view(), name="review-items"),
    path("review-items/next/", NextReviewItem.as_view(), name="review-item-next"),
    path("review-items/<int:item>/", OneReviewItem.as_view(), name="review-item"),
    path("review-items/<int:item>/claim/", ClaimReviewItem.as_view(), name="review-item-claim"),
    path("review-items/<int:item>/release/", ReleaseReviewItem.as_view(), name="review-item-release"),
    path("review-items/<int:item>/decisions/", Decisions.as_view(), name="review-item-decisions"),
    path("decisions/<int:decision>/undo/", UndoDecision.as_view(), name="decision-undo"),
]
