"""Reads of the queue: what waits for whom and in which order, how far it is, and why there may be nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import Role, RoleGrant, System
from certifier.lumi import LumiSet
from certifier.ops.models import Job, JobState
from certifier.precert.models import Scoring, Verdict
from certifier.precert.unscored import KIND as SCORING_JOB
from certifier.precert.unscored import unscored
from certifier.runs.profile import profiles

from .claims import free_for, not_skipped, reviewable
from .errors import DecisionNotFound, ItemNotFound
from .models import Answer, Claim, Decision, Item, ItemState, Pull, Remark
from .order import in_order

LARGEST_KEY = 2**63 - 1
JUST_DECIDED = 10
# What may be looked at by itself; what has no verdict shown is a kind of its own and tells nothing.
SHOWN = {"bad": "bad", "unsure": "unsure", "blind": "no verdict shown", "back": "back again", "held": "held by me"}


@dataclass(frozen=True)
class Filters:
    """Which items are looked at, as it stands in the address. `all`: with everything about an item on one page, for
    browsers that fetch no part of it by themselves."""

    system: str = ""
    run: str = ""
    show: str = ""
    all: str = ""

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Filters:
        show = parameters.get("show", "").strip()
        return cls(
            system=parameters.get("system", "").strip().replace("\0", ""),
            run=parameters.get("run", "").strip(),
            show=show if show in SHOWN else "",
            all="1" if parameters.get("all") == "1" else "",
        )

    @property
    def is_narrow(self) -> bool:
        """Whether more than the system is chosen."""
        return bool(self.run or self.show)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """What is chosen, by the names of the address."""
        given = {"system": self.system, "run": self.run, "show": self.show, "all": self.all}
        return [(name, value) for name, value in given.items() if value]

    @property
    def query(self) -> str:
        return urlencode(self.pairs)

    def apply(self, items: QuerySet[Item], user: Any) -> QuerySet[Item]:
        if self.system:
            items = items.filter(system__code__iexact=self.system)
        if self.run:
            is_number = self.run.isascii() and self.run.isdigit() and len(self.run) < 10
            items = items.filter(run__number=int(self.run)) if is_number else items.none()
        if self.show == "back":
            items = items.exclude(came_from=None)
        elif self.show == "blind":
            items = items.filter(is_blind=True)
        elif self.show == "held":
            items = items.filter(claim__by=user, claim__until__gt=timezone.now())
        elif self.show:
            items = items.filter(is_blind=False, verdict=self.show)
        return items


# Sets of hundreds of lumisections, evidence and scores: what a line about an item does not name.
HEAVY = (
    "run__attributes",
    "finding__evidence",
    "scoring__packed",
    "scoring__good",
    "scoring__bad",
    "scoring__unsure",
    "scoring__unscored",
    "scoring__why_unscored",
    "scoring__version__manifest",
    "scoring__version__metrics",
    "scoring__version__guarantee",
    "scoring__version__lineage",
)
# What a line in the list names: a list has thirty, and every decision answers with it.
IN_A_LINE = (
    "lumisections", "verdict", "is_blind", "state", "recorded_inv_nb", "weight", "since", "came_from_id",
    "what_changed", "run__number", "system__code", "claim__by_id", "claim__by_name", "claim__until",
    "finding__suspected_defect",
)  # fmt: skip


def with_words(items: QuerySet[Item]) -> QuerySet[Item]:
    """With everything that a line about an item names, in one query."""
    joined = items.select_related("run", "system", "claim", "finding", "scoring__dataset", "scoring__version")
    return joined.defer(*HEAVY)


def waiting(user: Any, filters: Filters, now: datetime | None = None) -> QuerySet[Item]:
    """The open items of a person's systems, the most urgent first, with what a line in the list names."""
    rows = filters.apply(reviewable(user), user).select_related("run", "system", "claim", "finding")
    return in_order(rows.only(*IN_A_LINE), now)


def how_many(user: Any, filters: Filters) -> int:
    """That wait."""
    return filters.apply(reviewable(user), user).order_by().count()


def first_free(user: Any, filters: Filters, *, with_scoring: bool = False) -> Item | None:
    """The most urgent that nobody else holds, as `find_item` has it."""
    now = timezone.now()
    rows = not_skipped(free_for(filters.apply(reviewable(user), user), user, now), user, now)
    return in_order(_whole(rows, with_scoring=with_scoring), now).first()


def waiting_counts(user: Any) -> dict[int, int]:
    """By key of the system, how many items this person may decide."""
    rows = reviewable(user).order_by().values_list("system").annotate(count=Count("id"))
    return dict(rows)


def find_item(pk: int, *, with_scoring: bool = False) -> Item:
    """`with_scoring` reads the scoring with its scores and sets as well. Raises ItemNotFound."""
    rows = _whole(Item.objects.all(), with_scoring=with_scoring)
    found = rows.filter(pk=pk).first() if 0 < pk <= LARGEST_KEY else None
    if found is None:
        raise ItemNotFound(pk)
    return found


def _whole(items: QuerySet[Item], *, with_scoring: bool) -> QuerySet[Item]:
    """With evidence and words, and whether anything was decided or remarked about each."""
    left_out = [name for name in HEAVY if name != "finding__evidence"]
    if with_scoring:
        left_out = [name for name in left_out if not name.startswith("scoring__") or "version" in name]
    decisions, remarks = (model.objects.filter(item=OuterRef("pk")) for model in (Decision, Remark))
    known = items.annotate(has_decisions=Exists(decisions), has_remarks=Exists(remarks))
    return with_words(known).defer(None).defer(*left_out)


def find_decision(pk: int) -> Decision:
    """Raises DecisionNotFound."""
    rows = Decision.objects.select_related("item__system", "item__run")
    found = rows.filter(pk=pk).first() if 0 < pk <= LARGEST_KEY else None
    if found is None:
        raise DecisionNotFound(pk)
    return found


def just_decided(user: Any, filters: Filters) -> list[Decision]:
    """The last decisions of a person that hold, the newest first: each can be undone."""
    rows = Decision.objects.filter(by=user, undone_by=None, item__state=ItemState.DECIDED).exclude(answer=Answer.UNDO)
    if filters.system:
        rows = rows.filter(item__system__code__iexact=filters.system)
    named = ("good", "bad", "item__lumisections", "item__run__number")
    return list(rows.select_related("item__run").only(*named).order_by("-id")[:JUST_DECIDED])


# --- how far it is --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Progress:
    """Of a system or of several: what was asked by recorded luminosity, and what nobody could ask about."""

    decided: int
    decided_inv_nb: float
    waiting: int
    waiting_inv_nb: float

    @property
    def reviewed(self) -> float | None:
        """The share that is decided; None where nothing was asked."""
        total = self.decided_inv_nb + self.waiting_inv_nb
        if total:
            return self.decided_inv_nb / total
        count = self.decided + self.waiting
        return self.decided / count if count else None

    @property
    def parts(self) -> list[tuple[float, str, str]]:
        """As `share` draws them."""
        return [(self.decided_inv_nb, "good", "reviewed"), (self.waiting_inv_nb, "unsure", "awaiting")]


def progress(systems: Iterable[System]) -> Progress:
    """In one query."""
    rows = Item.objects.filter(system__in=list(systems)).exclude(state=ItemState.SUPERSEDED).order_by()
    found = {
        state: (count, total or 0.0)
        for state, count, total in rows.values_list("state").annotate(Count("id"), Sum("recorded_inv_nb"))
    }
    decided, open_ = found.get(ItemState.DECIDED, (0, 0.0)), found.get(ItemState.OPEN, (0, 0.0))
    return Progress(decided[0], decided[1], open_[0], open_[1])


@dataclass(frozen=True)
class NotScored:
    """Lumisections with histograms that no verdict covers, and their recorded luminosity. Not scored is never good."""

    lumisections: int
    recorded_inv_nb: float


def not_scored(systems: Sequence[System]) -> NotScored:
    """Over all runs with histograms of these systems. Five queries beside those of `unscored`."""
    newest = Pull.objects.filter(system__in=systems).order_by().values("run", "system").annotate(newest=Max("id"))
    rows = Pull.objects.filter(pk__in=newest.values("newest")).values_list(
        "run", "system", "run__number", "scoring__unscored", "scoring__last", "run__last_lumisection"
    )
    found: list[tuple[int, LumiSet]] = []
    seen = set()
    for run, system, number, text, then, now in rows:
        seen.add((run, system))
        found.append((number, _set(text) | (LumiSet.whole(now) - LumiSet.whole(then))))
    never = {
        (each.dataset.run_id, each.version.system_id): each.dataset.run
        for each in unscored(systems)
    }  # fmt: skip
    found += [(run.number, run.domain) for key, run in never.items() if key not in seen]
    found = [(number, where) for number, where in found if where]
    known = profiles({number for number, _ in found})
    total = sum(known[number].sum("recorded_inv_nb", where)[0] for number, where in found if number in known)
    return NotScored(sum(len(where) for _, where in found), total)


def _set(value: LumiSet | str) -> LumiSet:
    return value if isinstance(value, LumiSet) else LumiSet.parse(value or "")


# --- why there is nothing -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Nothing:
    """Why no item is offered: one of five reasons, with what to do about it."""

    kind: str  # no match, done, held, not scored, no role
    claims: Sequence[Claim] = ()
    last: Decision | None = None
    job: Job | None = None
    people: Sequence[str] = ()


def why_nothing(user: Any, filters: Filters, systems: Sequence[System]) -> Nothing:
    """`systems` are those that are looked at. The first that applies."""
    if not any(permissions.can_review(user, system) for system in systems):
        return Nothing("no role", people=whom_to_ask(systems))
    mine = [system for system in systems if permissions.can_review(user, system)]
    whole = reviewable(user).filter(system__in=mine)
    claims = Claim.objects.filter(item__in=filters.apply(whole, user), until__gt=timezone.now()).exclude(by=user)
    if claims.exists():
        return Nothing("held", claims=list(claims.select_related("item__run").order_by("until")[:20]))
    if filters.is_narrow and whole.exists():
        return Nothing("no match")
    if not Scoring.objects.filter(version__system__in=mine).exists():
        failed = Job.objects.filter(kind=SCORING_JOB, state__in=[JobState.FAILED, JobState.LOST])
        codes = Q()
        for system in mine:
            codes |= Q(key__startswith=f"{SCORING_JOB}:{system.code}:")
        return Nothing("not scored", job=failed.filter(codes).order_by("-id").first())
    newest = Decision.objects.filter(item__system__in=mine).exclude(answer=Answer.UNDO).order_by("-id")
    return Nothing("done", last=newest.select_related("item__run", "item__system").first())


def whom_to_ask(systems: Sequence[System]) -> list[str]:
    """Names of administrators, who grant roles."""
    grants = RoleGrant.objects.filter(role=Role.ADMIN, user__is_active=True).select_related("user")
    return sorted({str(grant.user) for grant in grants})[:5]


# --- in words -------------------------------------------------------------------------------------------------


def verdict_mark(item: Item) -> str:
    """The mark of the design for an item: what is not shown is not looked at."""
    if item.state == ItemState.SUPERSEDED:
        return "unscored"
    return str(item.verdict) if item.shows_verdict else "unseen"


def suspicion(item: Item) -> str:
    """The name of the defect that is suspected; empty where none is, or where it is not shown."""
    if not item.shows_verdict or item.finding is None or item.verdict == Verdict.GOOD:
        return ""
    return item.finding.suspected_defect
