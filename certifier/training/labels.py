"""What people have said of the lumisections of a system, as something to learn from.

1. A decision in the review queue is the strongest label: somebody looked at these very lumisections.
2. A signature says that somebody has looked at the whole run: lumisections with a defect of the system are bad, under
   its name, the others good. Where the system tells intolerable defects from others, those that have only others are
   neither.
3. Whatever the machine was allowed to call good by itself (mode auto) when the run was signed, nobody has looked at:
   the signature is no label there, or a model would be confirmed by its own word.
4. What nobody looked at has no label. A lumisection that was asked about by chance stands for those that were not: for
   1 / chance of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Final

from django.db import models

from certifier.accounts.models import System
from certifier.defects.models import Defect
from certifier.defects.resolution import states
from certifier.lumi import LumiSet
from certifier.precert.models import Mode, Promotion, Scoring, SystemMode, Verdict
from certifier.review.models import Action, Item, ItemState, SignOff
from certifier.review.selectors import Label, labels_of
from certifier.runs.models import Run

PER_QUERY: Final = 500
# Of a run that was looked at as a whole; the rest nobody could be asked about, since no model could score it.
WHOLE: Final = 0.95


class Source(models.TextChoices):
    DECISION = "decision", "decision"
    AUDIT = "audit", "blind audit"
    SIGN_OFF = "sign-off", "sign-off"


@dataclass(frozen=True)
class Said:
    """One word on some lumisections of a run: good, or bad with a defect. `stands_for` so many of its kind each."""

    lumisections: LumiSet
    source: Source
    at: datetime
    defect: str = ""
    is_bad: bool = False
    stands_for: float = 1.0


@dataclass
class RunLabels:
    """What holds of a run: words that do not overlap. `is_settled`: nothing of it still waits for an answer, so that
    what has a label was not chosen by who had time for what. `is_signed`: somebody signed all of it, and nothing of it
    on the machine's word."""

    run: Run
    words: list[Said] = field(default_factory=list)
    is_settled: bool = True
    is_signed: bool = False

    def of(self, *, bad: bool) -> LumiSet:
        found = LumiSet()
        for word in self.words:
            if word.is_bad == bad:
                found |= word.lumisections
        return found

    @property
    def labelled(self) -> LumiSet:
        return self.of(bad=False) | self.of(bad=True)

    def within(self, where: LumiSet) -> RunLabels:
        """The same words, of these lumisections only."""
        words = [replace(word, lumisections=word.lumisections & where) for word in self.words]
        return replace(self, words=[word for word in words if word.lumisections])

    def is_whole(self, seen: LumiSet) -> bool:
        """Whether people have looked at this run as a whole: whoever measures something on such runs measures it on
        what is taken, not on what a machine was unsure of. `seen` are the lumisections that have histograms."""
        return self.is_signed or len(self.labelled & seen) >= WHOLE * len(seen) > 0

    def standing_for_themselves(self) -> RunLabels:
        """The same words, where nothing is left for which they would have to stand."""
        return replace(self, words=[replace(word, stands_for=1.0) for word in self.words])


def run_labels(system: System) -> list[RunLabels]:
    """Every run of which something was said, by number. A handful of queries, however many runs."""
    found: dict[int, RunLabels] = {}
    decided = _by_run(labels_of(system))
    signed = _signatures(system)
    runs = {run.pk: run for said in decided.values() for run in [said[0].run]}
    missing = [pk for pk in signed if pk not in runs]
    for start in range(0, len(missing), PER_QUERY):
        runs |= Run.objects.defer("attributes").in_bulk(missing[start : start + PER_QUERY])
    open_runs = set(Item.objects.filter(system=system, state=ItemState.OPEN).values_list("run", flat=True).distinct())
    recorded = _recorded(system, list(signed))
    unseen = _unseen(system, signed)
    for pk in sorted(runs, key=lambda key: runs[key].number):
        run = runs[pk]
        words = list(_sign_off_words(run, signed.get(pk), recorded.get(pk, {}), unseen.get(pk, LumiSet())))
        looked = _together(words)
        words = _with_decisions(words, _decided(decided.get(pk, []), looked, run))
        if words:
            found[pk] = RunLabels(
                run,
                words,
                is_settled=pk not in open_runs or looked == run.domain,
                is_signed=pk in signed and not unseen.get(pk),
            )
    return list(found.values())


def counts(labels: Iterable[RunLabels]) -> dict[str, dict[str, int]]:
    """By source, how many lumisections are labelled good and bad."""
    found = {source.value: {"good": 0, "bad": 0} for source in Source}
    for of_run in labels:
        for word in of_run.words:
            found[word.source.value]["bad" if word.is_bad else "good"] += len(word.lumisections)
    return {source: both for source, both in found.items() if both["good"] or both["bad"]}


def counts_by_week(labels: Iterable[RunLabels]) -> list[tuple[date, dict[str, tuple[int, int]]]]:
    """By the Monday of the week in which it was said, the latest first: by source, (good, bad) lumisections."""
    tally: dict[date, Counter[tuple[str, bool]]] = {}
    for of_run in labels:
        for word in of_run.words:
            year, week, _ = word.at.isocalendar()
            monday = date.fromisocalendar(year, week, 1)
            tally.setdefault(monday, Counter())[word.source.value, word.is_bad] += len(word.lumisections)
    return [
        (monday, {each.value: (number[each.value, False], number[each.value, True]) for each in Source})
        for monday, number in sorted(tally.items(), reverse=True)
    ]


# --- decisions ------------------------------------------------------------------------------------------------


def _by_run(labels: Iterable[Label]) -> dict[int, list[Label]]:
    found: dict[int, list[Label]] = {}
    for label in labels:
        found.setdefault(label.run.pk, []).append(label)
    return found


def _decided(labels: Sequence[Label], looked: LumiSet, run: Run) -> Iterator[Said]:
    """Decisions do not overlap. An audit stands for others only where these have no label of their own."""
    for label in labels:
        where = label.lumisections & run.domain
        # Whatever is called bad is asked about anyway, so only good verdicts were chosen by chance.
        by_chance = label.is_audit and label.verdict == Verdict.GOOD
        many = 1 / label.chance if by_chance and label.chance > 0 else 1.0
        source = Source.AUDIT if label.is_audit else Source.DECISION
        for part, stands_for in ((where & looked, 1.0), (where - looked, many)):
            if part:
                defect = label.defects[0] if label.defects else ""
                yield Said(part, source, label.at, defect, label.is_bad, stands_for)


def _with_decisions(signed: Sequence[Said], decided: Iterable[Said]) -> list[Said]:
    """Decisions first; of what was signed, whatever no decision speaks of."""
    found = list(decided)
    taken = _together(found)
    for word in signed:
        if left := word.lumisections - taken:
            found.append(Said(left, word.source, word.at, word.defect, word.is_bad))
    return found


def _together(words: Iterable[Said]) -> LumiSet:
    found = LumiSet()
    for word in words:
        found |= word.lumisections
    return found


# --- signatures -----------------------------------------------------------------------------------------------


def _signatures(system: System) -> dict[int, datetime]:
    """By run (primary key) that counts as signed: when it was signed last."""
    newest: dict[int, dict[str, tuple[str, datetime]]] = {}
    rows = SignOff.objects.filter(system=system).order_by("id").values_list("run", "stage", "action", "at")
    for run, stage, action, at in rows.iterator(chunk_size=5_000):
        newest.setdefault(run, {})[stage] = (action, at)
    return {
        run: max(at for _, at in acts.values())
        for run, acts in newest.items()
        if all(action == Action.SIGN for action, _ in acts.values())
    }


def _recorded(system: System, runs: Sequence[int]) -> dict[int, dict[str, tuple[LumiSet, bool]]]:
    """By run, the primary defects of the system that are present: where, and whether they make data bad."""
    primaries = {row.pk: row for row in Defect.objects.filter(system=system, expression=None)}
    tells = any(row.intolerable for row in primaries.values())
    found: dict[int, dict[str, tuple[LumiSet, bool]]] = {}
    for run, of_run in states(runs=runs, up_to=None, defects=list(primaries)) if primaries and runs else ():
        found[run] = {
            primaries[defect].name: (LumiSet.from_bits(state.present), primaries[defect].intolerable or not tells)
            for defect, state in of_run.items()
            if state.present
        }
    return found


def _sign_off_words(
    run: Run, at: datetime | None, recorded: Mapping[str, tuple[LumiSet, bool]], unseen: LumiSet
) -> Iterator[Said]:
    """Of a run that was signed: bad under the first name in order, good where nothing is recorded."""
    if at is None:
        return
    left = run.domain
    for name, (where, is_bad) in sorted(recorded.items()):
        if is_bad and (here := where & left):
            yield Said(here, Source.SIGN_OFF, at, name, is_bad=True)
            left -= here
    for where, _ in recorded.values():
        left -= where
    if good := left - unseen:
        yield Said(good, Source.SIGN_OFF, at)


def _unseen(system: System, signed: Mapping[int, datetime]) -> dict[int, LumiSet]:
    """By run, what the machine was allowed to call good by itself when the run was signed."""
    modes = list(SystemMode.objects.filter(system=system).order_by("id").values_list("at", "mode"))
    if all(mode != Mode.AUTO for _, mode in modes):
        return {}
    automatic = {run: at for run, at in signed.items() if _held(modes, at, Mode.ASSIST) == Mode.AUTO}
    acts = list(Promotion.objects.filter(system=system).order_by("id").values_list("at", "champion"))
    found: dict[int, LumiSet] = {}
    keys = sorted(automatic)
    for start in range(0, len(keys), PER_QUERY):
        rows = Scoring.objects.filter(version__system=system, dataset__run__in=keys[start : start + PER_QUERY])
        for run, version, at, good in rows.values_list("dataset__run", "version", "at", "good"):
            if at <= automatic[run] and version == _held(acts, automatic[run], None):
                found[run] = found.get(run, LumiSet()) | good
    return found


def _held(rows: Sequence[tuple[datetime, Any]], at: datetime, before: Any) -> Any:
    """What the last row up to a moment says."""
    held = before
    for since, value in rows:
        if since <= at:
            held = value
    return held
