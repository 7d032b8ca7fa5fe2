"""From scorings to items: what experts should look at, found by a query that may be asked as often as one likes.

For each run and system the champion's newest scoring of the furthest processed dataset counts. When it is another one
than last time (a new champion, a reprocessed dataset, a run that grew), within one transaction per run and system:

1. Open items of other scorings are superseded: their evidence was replaced.
2. Every finding becomes an item, less the lumisections on which an expert's word stands (`settled`).
3. Verdicts that were decided without an expert are sampled (`sampling`): stretches called good become items of their
   own, findings called bad become blind.
4. Lumisections that the machine now calls good against an expert's word return.

The row of the run is locked meanwhile, so two sweeps do nothing twice, and unique keys would refuse it if they did.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max, QuerySet
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.unit import unit_of_work
from certifier.lumi import LumiSet
from certifier.monitoring.models import Part
from certifier.precert.models import Scoring, Verdict
from certifier.precert.scoring import together
from certifier.precert.selectors import models_of, verdicts_of_runs
from certifier.runs.changes import announce
from certifier.runs.models import Run
from certifier.runs.profile import Profile, profile_of

from .labels import Said, said_of_run, verdict_sets
from .models import Item, ItemState, Kind, Pull
from .order import at_stake, uncertainty
from .sampling import Sampler, chance

RUNS_AT_ONCE = 200


def unpulled(systems: Sequence[System] | None = None) -> list[Scoring]:
    """The scorings that count now and that the queue is not up to, the latest runs first."""
    models = [each for each in models_of(systems) if each.champion is not None]
    champions = [each.champion for each in models if each.champion is not None]
    scored = Scoring.objects.filter(version__in=champions).order_by().values("dataset__run").distinct()
    runs = list(Run.objects.filter(pk__in=scored).defer("attributes").order_by("-number"))
    pulled = _pulled([each.system for each in models])
    found = []
    for start in range(0, len(runs), RUNS_AT_ONCE):
        batch = runs[start : start + RUNS_AT_ONCE]
        for verdicts in verdicts_of_runs(batch, [each.system for each in models]).values():
            found += [
                verdict.scoring
                for verdict in verdicts
                if verdict.scoring is not None
                and pulled.get((verdict.scoring.dataset.run_id, verdict.system.pk)) != verdict.scoring.pk
            ]
    return found


def _pulled(systems: Sequence[System]) -> dict[tuple[int, int], int]:
    """By run and system, the scoring that the queue is up to."""
    rows = Pull.objects.filter(system__in=systems).order_by()
    newest = rows.values("run", "system").annotate(newest=Max("id")).values("newest")
    columns = Pull.objects.filter(pk__in=newest).values_list("run", "system", "scoring")
    return {(run, system): scoring for run, system, scoring in columns}


def find_items(systems: Sequence[System] | None = None, *, actor: User | None = None) -> dict[str, int]:
    """Bring the queue up to what models say now; the installation itself, or who may score. Harmless to repeat."""
    permissions.require(permissions.can_score(actor))
    counts = {"scorings": 0, "opened": 0, "superseded": 0}
    for scoring in unpulled(systems):
        done = pull(scoring, actor=actor)
        if done is not None:
            counts["scorings"] += 1
            counts["opened"] += done.opened
            counts["superseded"] += done.superseded
    return counts


def pull(scoring: Scoring, *, actor: User | None = None) -> Pull | None:
    """Make the items of a scoring that counts now; None when the queue is up to it already."""
    system = scoring.version.system
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_score(actor))
        run = Run.objects.select_for_update(no_key=True).get(pk=scoring.dataset.run_id)
        newest = Pull.objects.filter(run=run, system=system).order_by("-id").first()
        if newest is not None and newest.scoring_id == scoring.pk:
            return None
        intake = Intake(scoring, run, system)
        replaced = intake.supersede()
        opened = intake.open(replaced)
        done = Pull.objects.create(
            scoring=scoring, system=system, run=run, opened=opened, superseded=len(replaced), at=intake.now
        )
        data = {"system": system.code, "scoring": scoring.pk, "opened": opened, "superseded": len(replaced)}
        unit.audit("review.find_items", f"run {run.number}", data)
        if opened or replaced:
            announce(unit, "review.items", run=run.number, data=data)
    return done


@dataclass(frozen=True)
class Wanted:
    """An item to be, before it is known what is settled of it."""

    kind: Kind
    place: int
    lumisections: LumiSet
    verdict: Verdict
    finding: Any = None
    score: float | None = None
    chance: float = 1.0
    is_blind: bool = False


class Intake:
    """The items of one scoring."""

    def __init__(self, scoring: Scoring, run: Run, system: System) -> None:
        self.scoring = scoring
        self.run = run
        self.system = system
        self.now = timezone.now()
        self.profile: Profile = profile_of(run)
        self.sampler = Sampler(system.code, run.number)
        self.verdicts = verdict_sets(scoring)
        self.said = said_of_run(run, system)
        # What is asked about together with a finding.
        self.widened = LumiSet()

    # -- what was there -----------------------------------------------------------------------------------------

    def _others(self) -> QuerySet[Item]:
        return Item.objects.filter(run=self.run, system=self.system).exclude(scoring=self.scoring)

    def supersede(self) -> list[Item]:
        """The items whose evidence was replaced."""
        replaced = list(self._others().filter(state=ItemState.OPEN).select_for_update())
        Item.objects.filter(pk__in=[item.pk for item in replaced]).update(state=ItemState.SUPERSEDED)
        return replaced

    def _since(self, lumisections: LumiSet, replaced: Iterable[Item]) -> datetime:
        """Whoever waited before goes on waiting."""
        times = [item.since for item in replaced if item.lumisections & lumisections]
        return min(times, default=self.now)

    # -- what is settled --------------------------------------------------------------------------------------

    def _settled(self, said: Said) -> LumiSet:
        """Where an expert's word stands although there is a new scoring.

        On the same histograms a word falls only where the machine is sure of the opposite, and was not before. On
        others (reprocessed, or corrected) it falls wherever the verdict changed and does not agree with it.
        """
        before = said.item.scoring
        old = verdict_sets(before)
        same = self.scoring.good & old["good"] | self.scoring.bad & old["bad"] | self.scoring.unsure & old["unsure"]
        agrees = self.scoring.good & said.good | self.scoring.bad & said.bad
        new_data = before.dataset_id != self.scoring.dataset_id or self._came_between(before, said.lumisections)
        left = LumiSet() if new_data else self.scoring.unsure
        return said.lumisections & (same | agrees | left | self.scoring.unscored)

    def _came_between(self, before: Scoring, lumisections: LumiSet) -> bool:
        """Whether histograms of these lumisections came after the scoring that was looked at."""
        parts = Part.objects.filter(
            dataset=self.scoring.dataset_id, element__system=self.system, pk__gt=before.newest_part_id
        )
        return any(part.lumisections & lumisections for part in parts.only("lumisections"))

    # -- what is wanted ---------------------------------------------------------------------------------------

    def open(self, replaced: Sequence[Item]) -> int:
        """Write what is to be looked at; how many items there are more."""
        settled, fallen = LumiSet(), LumiSet()
        for said in self.said:
            stands = self._settled(said)
            settled |= stands
            fallen |= said.lumisections - stands
        wanted = [*self._findings(fallen), *self._returning(fallen), *self._audit(fallen)]
        # In the order of the run, so that the order in which they are written tells nothing of where they come from.
        wanted.sort(key=lambda each: each.lumisections.first or 0)
        known = {item.place: item for item in Item.objects.filter(scoring=self.scoring)}
        opened, rows = 0, []
        for each in wanted:
            left = each.lumisections - settled
            if left and each.place in known:
                # The same scoring counts again, after a champion was rolled back.
                opened += self._reopen(known[each.place])
            elif left:
                rows.append(self._item(each, left, replaced, fallen))
        Item.objects.bulk_create(rows)
        return opened + len(rows)

    def _reopen(self, item: Item) -> int:
        if item.state != ItemState.SUPERSEDED:
            return 0
        item.state = ItemState.OPEN
        item.save(update_fields=["state"])
        return 1

    def _findings(self, fallen: LumiSet) -> Iterator[Wanted]:
        for finding in self.scoring.findings.all():
            verdict, where = Verdict(finding.verdict), finding.lumisections
            begins = self._pieces(LumiSet.from_numbers([where.first or 1]))
            audited = verdict == Verdict.BAD and any(self.sampler.is_audited(piece) for piece in begins)
            is_blind = audited or self.sampler.is_blind(where)
            if is_blind:
                where |= self._around(begins if audited else self._pieces(where), audited=audited) - fallen
            yield Wanted(
                kind=Kind.AUDIT if audited else Kind.FINDING,
                place=self.scoring.last + finding.number,
                lumisections=where,
                verdict=verdict,
                finding=finding,
                score=finding.score,
                chance=chance() if audited else 1.0,
                is_blind=is_blind,
            )

    def _pieces(self, lumisections: LumiSet) -> list[LumiSet]:
        """The pieces of the run that hold some of these lumisections."""
        last = max(self.scoring.last, lumisections.last or 1)
        return [piece for piece in self.sampler.pieces(last) if piece & lumisections]

    def _around(self, pieces: Iterable[LumiSet], *, audited: bool) -> LumiSet:
        """What a finding that is shown without its verdict is widened by, so that it has the shape of an audit sample:
        what is good in its pieces. Nothing is asked twice: audited pieces belong to the audit."""
        found = LumiSet()
        for piece in pieces:
            if self.sampler.is_audited(piece) == audited:
                found |= piece & self.scoring.good
        found -= self.widened
        self.widened |= found
        return found

    def _audit(self, fallen: LumiSet) -> Iterator[Wanted]:
        """What was called good in the chosen pieces; what returns is asked openly."""
        for piece in self.sampler.pieces(self.scoring.last):
            chosen = LumiSet()
            if self.sampler.is_audited(piece):
                chosen = (piece & self.scoring.good) - fallen - self.widened
            if chosen:
                yield Wanted(
                    Kind.AUDIT,
                    chosen.first or 0,
                    chosen,
                    Verdict.GOOD,
                    chance=chance(),
                    is_blind=True,
                )

    def _returning(self, fallen: LumiSet) -> Iterator[Wanted]:
        """What the machine calls good now, against the word of an expert. What it calls otherwise is in findings."""
        for stretch in together(fallen & self.scoring.good):
            yield Wanted(Kind.RETURN, stretch.first or 0, stretch, Verdict.GOOD)

    def _item(self, wanted: Wanted, lumisections: LumiSet, replaced: Sequence[Item], fallen: LumiSet) -> Item:
        stake, counts_as = at_stake(self.profile, lumisections)
        before = self._before(lumisections & fallen)
        # Who asks again what somebody has said shows both words, so it is no sample.
        is_blind = wanted.is_blind and before is None
        kind = Kind.FINDING if before is not None and wanted.kind == Kind.AUDIT else wanted.kind
        sure = uncertainty(self.scoring, wanted.verdict, wanted.score, is_blind=is_blind)
        return Item(
            scoring=self.scoring,
            kind=kind,
            place=wanted.place,
            finding=wanted.finding,
            system=self.system,
            run=self.run,
            lumisections=lumisections,
            verdict=wanted.verdict,
            is_blind=is_blind,
            chance=wanted.chance if kind == Kind.AUDIT else 1.0,
            recorded_inv_nb=stake,
            # An expert and a machine who contradict each other are as uncertain as can be.
            weight=counts_as * (1.0 if before is not None else sure),
            since=self._since(lumisections, replaced),
            came_from=before.item if before is not None else None,
            what_changed=self._what_changed(before, wanted.verdict) if before is not None else "",
            created_at=self.now,
        )

    def _before(self, lumisections: LumiSet) -> Said | None:
        """The newest word on these lumisections."""
        return next((said for said in reversed(self.said) if said.lumisections & lumisections), None)

    def _what_changed(self, before: Said, verdict: Verdict) -> str:
        old, new = before.item.scoring, self.scoring
        word = "bad" if before.bad else "good"
        who = f"{before.decision.by_name} said {word}"
        if old.dataset_id != new.dataset_id:
            return f"{who}; {new.dataset.name}, processed since, is called {verdict.label}"
        if old.version_id != new.version_id:
            return f"{who}; model {new.version.number} calls it {verdict.label}, model {old.version.number} did not"
        return f"{who}; histograms that came since are called {verdict.label}"
