"""What pages show of many runs at once, brought up to date from the change feed.

1. The newest change is read first: whatever is written afterwards has a higher number and comes next time.
2. A run is due when it has no summary or the feed has changes of it above the watermark; every run is when the rule has
   changed (definitions, systems, the main defect).
3. Runs are written a batch at a time, never over a summary that holds for a later change (somebody else's refresh).
4. The watermark is set last. A refresh that dies is simply done again; two at once do the same work twice.

Lists follow: today's luminosity of those with a run whose facts changed, and the loss tables of built ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from certifier.accounts.models import System
from certifier.defects import resolution
from certifier.defects.logic_at import LogicAt, logic_at
from certifier.defects.resolution import State
from certifier.lumi import LumiSet
from certifier.precert.selectors import SystemModels, models_of
from certifier.review.selectors import signed_and_reopened
from certifier.runs.models import Change, ChangeCounter, Run
from certifier.runs.profile import Profile, profiles

from . import building, machine
from .building import Question
from .contents import content_of
from .facts import RunRow
from .luminosity import luminosity_in, luminosity_of
from .machine import ByMachine
from .main_defect import main_virtual_defect
from .models import GoodRunList, RunSummary, SummaryWatermark
from .noted_losses import note_losses
from .selectors import TOUCHING, lists_with_runs
from .services import store_luminosity

RUNS_PER_BATCH = 200
FIELDS = [
    "good", "required", "delivered_inv_nb", "recorded_inv_nb", "good_inv_nb", "defect_count", "intolerable_count",
    "signed_systems", "open_systems", "sequence", "refreshed_at",
]  # fmt: skip

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Refreshed:
    """How many run summaries and lists were brought up to date."""

    runs: int
    lists: int


def refresh_summaries(progress: Progress | None = None, *, everything: bool = False) -> Refreshed:
    """Bring every summary up to date; idempotent. `progress` is told how many of how many runs are done."""
    newest = ChangeCounter.objects.filter(pk=1).values_list("value", flat=True).first() or 0
    mark = SummaryWatermark.objects.filter(pk=1).first() or SummaryWatermark(pk=1)
    rule = Rule.now()
    if everything or rule.digest != mark.rule:
        due = list(Run.objects.order_by("number").values_list("pk", flat=True))
    else:
        due = _due(mark.sequence, newest)
    done = 0
    for start in range(0, len(due), RUNS_PER_BATCH):
        batch = due[start : start + RUNS_PER_BATCH]
        done += _refresh_runs(rule, batch, newest)
        if progress is not None:
            progress(start + len(batch), len(due))
    lists = _refresh_lists(0 if everything else mark.sequence, newest)
    note_losses(newest)
    mark.sequence, mark.rule = newest, rule.digest
    SummaryWatermark.objects.update_or_create(pk=1, defaults={"sequence": newest, "rule": rule.digest})
    return Refreshed(done, lists)


# -- the rule --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rule:
    """By what summaries are computed; when the digest changes, all of them are due."""

    meaning: LogicAt
    question: Question | None
    systems: tuple[System, ...]
    needed: tuple[System, ...]
    models: Sequence[SystemModels]
    digest: str

    @classmethod
    def now(cls) -> Rule:
        meaning = logic_at()
        main = main_virtual_defect(meaning)
        question = Question(require=(main,), meaning=meaning) if main is not None else None
        systems = tuple(System.objects.all())
        needed = tuple(building.needed_systems(question)) if question is not None else ()
        models = models_of(needed)
        closure = building.needed(question) if question is not None else set()
        definitions = meaning.definitions
        words = [
            "" if main is None else main,
            *(f"{name}={definitions[name].expression}@{definitions[name].system_code}" for name in sorted(closure)),
            *(f"!{meaning.name}" for meaning in definitions.primaries() if meaning.intolerable),
            *(system.code for system in systems),
            machine.standing(models),
        ]
        return cls(meaning, question, systems, needed, models, hashlib.sha256("\n".join(words).encode()).hexdigest())


def _due(since: int, newest: int) -> list[int]:
    """Primary keys of the runs that have changed since, or that have no summary."""
    changes = Change.objects.filter(sequence__gt=since, sequence__lte=newest).exclude(run=None)
    changed = Run.objects.filter(number__in=changes.order_by().values("run").distinct())
    missing = Run.objects.filter(summary=None)
    return sorted({*changed.values_list("pk", flat=True), *missing.values_list("pk", flat=True)})


# -- runs ------------------------------------------------------------------------------------------


def _refresh_runs(rule: Rule, keys: Sequence[int], newest: int) -> int:
    rows = [
        RunRow(*row)
        for row in Run.objects.filter(pk__in=keys).order_by("pk").values_list("pk", "number", "last_lumisection")
    ]
    signed, reopened = signed_and_reopened([row.pk for row in rows])
    needed = {system.pk for system in rule.needed}
    by_machine = machine.by_machine(rows, {row.pk: needed - signed[row.pk] for row in rows}, rule.models, reopened)
    looked_at = {row.pk: LookedAt(signed[row.pk], by_machine.get(row.pk, {})) for row in rows}
    columns = profiles([row.number for row in rows])
    states = dict(resolution.states(runs=[row.pk for row in rows], up_to=None))
    summaries = [
        _summary(rule, row, states.get(row.pk, {}), looked_at[row.pk], columns.get(row.number)) for row in rows
    ]
    now = timezone.now()
    for summary in summaries:
        summary.sequence, summary.refreshed_at = newest, now
    return _store(summaries, newest)


@dataclass(frozen=True)
class LookedAt:
    """By primary key, the systems of a run that were signed, and those whose machine's word counts instead."""

    signed: set[int]
    by_machine: Mapping[int, ByMachine]

    def at(self, system: System) -> bool:
        return system.pk in self.signed or system.pk in self.by_machine


def _summary(
    rule: Rule,
    row: RunRow,
    states: dict[int, State],
    looked_at: LookedAt,
    profile: Profile | None,
) -> RunSummary:
    definitions = rule.meaning.definitions.by_defect
    domain = row.domain
    present = {pk: state.present for pk, state in states.items() if state.present & domain and pk in definitions}
    good = LumiSet()
    if rule.question is not None and all(looked_at.at(system) for system in rule.needed):
        named = {definitions[pk].name: bits for pk, bits in present.items()}
        evaluation = rule.meaning.logic.evaluate(named, domain, only=rule.question.require)
        good = evaluation.absent(rule.question.require[0])
        for each in looked_at.by_machine.values():
            good &= each.lumisections
    whole, listed = luminosity_in(LumiSet.whole(row.last), profile), luminosity_in(good, profile)
    count = len({system.pk for system in rule.systems} & looked_at.signed)
    return RunSummary(
        run_id=row.pk,
        good=good,
        required=rule.question.require[0] if rule.question is not None else "",
        delivered_inv_nb=whole.delivered_inv_nb,
        recorded_inv_nb=whole.recorded_inv_nb,
        # A run of which nothing is good has lost everything; one of which nothing is known has no number.
        good_inv_nb=listed.recorded_inv_nb if good else (0.0 if whole.recorded_lumisections else None),
        defect_count=len(present),
        intolerable_count=sum(1 for pk in present if definitions[pk].intolerable),
        signed_systems=count,
        open_systems=len(rule.systems) - count,
    )


@transaction.atomic
def _store(summaries: Sequence[RunSummary], newest: int) -> int:
    keys = [summary.run_id for summary in summaries]
    later = RunSummary.objects.select_for_update().filter(run__in=keys, sequence__gt=newest)
    kept = set(later.values_list("run_id", flat=True))
    written = [summary for summary in summaries if summary.run_id not in kept]
    RunSummary.objects.bulk_create(written, update_conflicts=True, unique_fields=["run"], update_fields=FIELDS)
    return len(written)


# -- lists -----------------------------------------------------------------------------------------


def _refresh_lists(since: int, newest: int) -> int:
    changes = Change.objects.filter(sequence__gt=since, sequence__lte=newest, kind__in=TOUCHING)
    numbers = [run for run in changes.order_by().values_list("run", flat=True).distinct() if run is not None]
    due = {each.pk: each for each in lists_with_runs(numbers)} if numbers else {}
    due |= {each.pk: each for each in GoodRunList.objects.filter(luminosity=None)}
    for each in due.values():
        store_luminosity(each, luminosity_of(content_of(each)), newest)
    return len(due)
