"""Where a defect has been seen: run by run, what it touched, and how it went from week to week."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from certifier.lumi import LumiSet, RunSelection
from certifier.lumi.roots import recoverable_part
from certifier.runs.models import Run, RunProfile
from certifier.runs.profile import iterate_profiles

from .as_of import AsOf
from .logic_at import Meaning
from .resolution import states


@dataclass(frozen=True)
class Sighting:
    """The defect is present on `present` of a run. Luminosities in inverse nanobarn, None where none is known."""

    run: int
    pk: int
    last: int
    started_at: datetime | None
    present: LumiSet
    recoverable: LumiSet
    touched_inv_nb: float | None
    recorded_inv_nb: float | None

    @property
    def share(self) -> float | None:
        if not self.recorded_inv_nb or self.touched_inv_nb is None:
            return None
        return self.touched_inv_nb / self.recorded_inv_nb


@dataclass(frozen=True)
class Week:
    """Runs that began in the week of `monday`; `seen` of them have the defect."""

    monday: date
    runs: int
    seen: int
    lumisections: int
    touched_inv_nb: float
    recorded_inv_nb: float

    @property
    def share(self) -> float | None:
        return self.touched_inv_nb / self.recorded_inv_nb if self.recorded_inv_nb else None


@dataclass(frozen=True)
class Sightings:
    """`found` by run, the newest first; `looked_at` counts the runs that were asked."""

    found: Sequence[Sighting]
    weeks: Sequence[Week]
    looked_at: int

    @property
    def lumisections(self) -> int:
        return sum(len(each.present) for each in self.found)

    @property
    def recoverable(self) -> int:
        return sum(len(each.recoverable) for each in self.found)

    @property
    def touched_inv_nb(self) -> float | None:
        known = [each.touched_inv_nb for each in self.found if each.touched_inv_nb is not None]
        return sum(known) if known else None


@dataclass(frozen=True)
class Asked:
    number: int
    last: int
    started_at: datetime | None
    recorded_inv_nb: float | None


def sightings(meaning: Meaning, moment: AsOf, runs: RunSelection) -> Sightings:
    """Every run of the selection (and of the tag) where the defect is present somewhere."""
    recorded = dict(RunProfile.objects.order_by().values_list("run_id", "recorded_inv_nb"))
    rows = Run.objects.order_by("number").values_list("pk", "number", "last_lumisection", "started_at")
    asked = {
        pk: Asked(number, last, started_at, recorded.get(pk))
        for pk, number, last, started_at in rows
        if number in runs and number in moment.runs
    }
    seen = {pk: pair for pk, pair in _present(meaning, moment, asked) if pair[0]}
    touched = _touched({asked[pk].number: present for pk, (present, _) in seen.items()})
    found = [
        Sighting(
            asked[pk].number, pk, asked[pk].last, asked[pk].started_at, present, recoverable,
            touched.get(asked[pk].number), asked[pk].recorded_inv_nb,
        )
        for pk, (present, recoverable) in seen.items()
    ]  # fmt: skip
    found.sort(key=lambda each: -each.run)
    return Sightings(found, _weeks(list(asked.values()), found), len(asked))


def _present(meaning: Meaning, moment: AsOf, asked: dict[int, Asked]) -> Iterator[tuple[int, tuple[LumiSet, LumiSet]]]:
    """(run key, (present, recoverable)) of the runs that have entries it depends on."""
    logic, definitions = moment.logic()
    if meaning.is_virtual:
        wanted = {definitions[name].defect: name for name in logic.primaries_of(meaning.name)}
        waiting = dict(asked)
    else:
        wanted, waiting = {meaning.defect: meaning.name}, {}
    for pk, of_run in states(runs=None, up_to=moment.up_to, defects=list(wanted)):
        run = asked.get(pk)
        if run is None:
            continue
        waiting.pop(pk, None)
        domain = (2 << run.last) - 2
        if not meaning.is_virtual:
            state = of_run[meaning.defect]
            yield pk, (LumiSet.from_bits(state.present & domain), LumiSet.from_bits(state.recoverable & domain))
            continue
        evaluation = logic.evaluate(
            {wanted[key]: state.present for key, state in of_run.items()}, domain, only=[meaning.name]
        )
        repairable = {wanted[key]: state.recoverable for key, state in of_run.items() if state.recoverable}
        recoverable = recoverable_part(evaluation, meaning.name, repairable)
        yield pk, (LumiSet.from_bits(evaluation.bits[meaning.name]), LumiSet.from_bits(recoverable))
    # A negation may hold where nothing was ever entered.
    for pk, run in waiting.items():
        bits = logic.evaluate({}, (2 << run.last) - 2, only=[meaning.name]).bits[meaning.name]
        yield pk, (LumiSet.from_bits(bits), LumiSet())


def _touched(present: dict[int, LumiSet]) -> dict[int, float | None]:
    found: dict[int, float | None] = {}
    for number, profile in iterate_profiles(present):
        value, known = profile.sum("recorded_inv_nb", present[number])
        found[number] = value if known else None
    return found


def monday_of(moment: datetime) -> date:
    return moment.date() - timedelta(days=moment.weekday())


def _weeks(asked: Sequence[Asked], found: Sequence[Sighting]) -> list[Week]:
    """Every week between the first and the last run with a known start, also those without any run."""
    dated = [(monday_of(run.started_at), run) for run in asked if run.started_at is not None]
    if not dated:
        return []
    seen = {each.run: each for each in found}
    first, last = min(monday for monday, _ in dated), max(monday for monday, _ in dated)
    weeks = []
    for step in range((last - first).days // 7 + 1):
        monday = first + timedelta(days=7 * step)
        own = [run for week, run in dated if week == monday]
        hits = [seen[run.number] for run in own if run.number in seen]
        weeks.append(
            Week(
                monday, len(own), len(hits), sum(len(hit.present) for hit in hits),
                sum(hit.touched_inv_nb or 0.0 for hit in hits), sum(run.recorded_inv_nb or 0.0 for run in own),
            )
        )  # fmt: skip
    return weeks
