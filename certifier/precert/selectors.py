"""Reads of this room: how the models of each system stand, what they say of a run, and what of it counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Max, Min, Subquery, Value

from certifier.accounts.models import System
from certifier.audit.append_only import AppendOnlyQuerySet
from certifier.lumi import LumiSet
from certifier.monitoring.models import Part
from certifier.monitoring.selectors import STAGES
from certifier.runs.models import Dataset, Run

from .errors import ModelNotFound
from .guarantee import Guarantee, read_guarantee
from .hiding import Hidden, HiddenOf, hidden_from, shown_scores, shown_to
from .models import Mode, ModelVersion, Promotion, Scoring, State, SystemMode, Verdict
from .rules import Standing


@dataclass(frozen=True)
class SystemModels:
    """The models of one system: its champion, if any, the mode it is in, and how both came about."""

    system: System
    standing: Standing
    mode_row: SystemMode | None

    @property
    def champion(self) -> ModelVersion | None:
        return self.standing.champion

    @property
    def mode(self) -> Mode:
        return Mode(self.mode_row.mode) if self.mode_row else Mode.ASSIST

    @property
    def guarantee(self) -> Guarantee:
        """The champion's; without a champion nothing is promised."""
        return read_guarantee(self.champion.guarantee) if self.champion else Guarantee()

    @property
    def is_automatic(self) -> bool:
        """Whether a good verdict counts as checked now: mode auto, a champion, and a bound on what it calls good."""
        return self.mode == Mode.AUTO and self.guarantee.certifies_good


def models_of(systems: Iterable[System] | None = None) -> list[SystemModels]:
    """How the models of these systems stand, or of all, in their order. Two queries, three without `systems`."""
    systems = list(System.objects.all() if systems is None else systems)
    acts: dict[int, list[Promotion]] = {}
    chosen = Promotion.objects.filter(system__in=systems).order_by("id")
    for act in chosen.select_related("version__system", "champion__system"):
        acts.setdefault(act.system_id, []).append(act)
    newest = SystemMode.objects.filter(system__in=systems).order_by().values("system").annotate(newest=Max("id"))
    modes = {row.system_id: row for row in SystemMode.objects.filter(pk__in=newest.values("newest"))}
    return [SystemModels(system, Standing(acts.get(system.pk, [])), modes.get(system.pk)) for system in systems]


def models_known(systems: Sequence[System], newest: tuple[Any, ...]) -> list[SystemModels]:
    """As `models_of`, for who has read what is newest of promotions and modes (see `NEWEST`). Acts are only added, so
    what was read for them is kept: no query while nobody acts."""
    key = (newest, tuple((system.pk, system.code, system.name) for system in systems))
    if key not in _known:
        if len(_known) >= REMEMBERED_STATES:
            _known.clear()
        _known[key] = models_of(systems)
    return _known[key]


# What tells one state of these tables from another, as columns of another query: how many rows there are, since an act
# with a lower number may be committed after one with a higher; and the time of the newest, since a number may be given
# again after a roll-back.
NEWEST: Final = {
    f"newest_{name}_{column}": Subquery(question)
    for name, model in (("promotion", Promotion), ("mode", SystemMode))
    for column, question in (
        ("at", model.objects.order_by("-id").values("at")[:1]),
        ("count", model.objects.order_by().values(all=Value(1)).annotate(count=Count("id")).values("count")),
    )
}
REMEMBERED_STATES: Final = 8
_known: dict[tuple[Any, ...], list[SystemModels]] = {}


def models_of_system(system: System) -> SystemModels:
    (found,) = models_of([system])
    return found


def champion_of(system: System) -> ModelVersion | None:
    """Its champion alone, whatever mode the system is in. One query."""
    acts = Promotion.objects.filter(system=system).order_by("id").select_related("version__system", "champion__system")
    return Standing(list(acts)).champion


def find_version(pk: int) -> ModelVersion:
    """Raises ModelNotFound."""
    found = ModelVersion.objects.filter(pk=pk).select_related("system").first() if 0 < pk < 2**63 else None
    if found is None:
        raise ModelNotFound(pk)
    return found


def version_numbered(system: System, number: int) -> ModelVersion:
    """Raises ModelNotFound."""
    found = ModelVersion.objects.filter(system=system, number=number).select_related("system").first()
    if found is None:
        raise ModelNotFound(f"{number} of {system.code}")
    return found


def with_states(versions: Iterable[ModelVersion]) -> list[tuple[ModelVersion, State]]:
    """Versions with what they are to their systems."""
    rows = list(versions)
    systems = {version.system_id: version.system for version in rows}
    standings = {each.system.pk: each.standing for each in models_of(systems.values())}
    return [(version, standings[version.system_id].state_of(version)) for version in rows]


# --- verdicts -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunVerdict:
    """What one model says of one run now. The four sets are a partition of the run, also when it has grown since.

    `scoring` is that of the furthest processed dataset that was scored; None when none was.
    """

    system: System
    version: ModelVersion | None
    mode: Mode
    domain: LumiSet
    scoring: Scoring | None = None
    # Histograms came since, or the run grew: the verdict is about to be replaced.
    is_stale: bool = False
    # Whether good counts as checked: mode auto, a live guarantee, and nothing came since.
    counts: bool = False
    # What the person who asks is not told now; it is unscored to them.
    hidden: Hidden | None = None

    def of(self, verdict: Verdict) -> LumiSet:
        if verdict == Verdict.UNSCORED:
            return self.domain - self.of(Verdict.GOOD) - self.of(Verdict.BAD) - self.of(Verdict.UNSURE)
        shown = self.scoring.of(verdict) & self.domain if self.scoring else LumiSet()
        return shown - self.hidden.lumisections if self.hidden else shown

    @property
    def good(self) -> LumiSet:
        return self.of(Verdict.GOOD)

    @property
    def bad(self) -> LumiSet:
        return self.of(Verdict.BAD)

    @property
    def unsure(self) -> LumiSet:
        return self.of(Verdict.UNSURE)

    @property
    def unscored(self) -> LumiSet:
        return self.of(Verdict.UNSCORED)

    @property
    def checked(self) -> LumiSet:
        """Where the machine's word counts as that of a person who looked."""
        return self.good if self.counts else LumiSet()

    @property
    def scores(self) -> list[float | None]:
        """Of each lumisection of the run, 0 to 1 and higher = worse, None where there is none."""
        known = shown_scores(self.scoring, self.hidden)[: len(self.domain)] if self.scoring else []
        return known + [None] * (len(self.domain) - len(known))


def verdicts_of_run(
    run: Run,
    models: Sequence[SystemModels] | None = None,
    *,
    version: ModelVersion | None = None,
    parts: Parts | None = None,
    viewer: Any = None,
) -> list[RunVerdict]:
    """What the champion of each system says of a run, or the version that is named of its own system.

    `viewer` is the person who is shown it, from whom some of it may be hidden (None: the program itself). Two queries
    beside those of `models_of`, and one for a viewer who may decide; `models` saves these, `parts` (of this run) one.
    """
    if models is None:
        models = models_of(None if version is None else [version.system])
    chosen = {each.system.pk: each.champion if version is None else version for each in models}
    versions = [each for each in chosen.values() if each is not None]
    found = _newest_scorings([run.pk], versions) if versions else {}
    if parts is None:
        parts = _newest_parts([run.pk], [each.system_id for each in versions]) if found else {}
    hidden = hidden_from(viewer, [run.pk]) if found else {}
    verdicts = []
    for each in models:
        one = chosen[each.system.pk]
        scorings = found.get((run.pk, each.system.pk), []) if one else []
        verdicts.append(_verdict(run, each, one, scorings, parts, hidden=hidden))
    return verdicts


def verdicts_of_runs(
    runs: Collection[Run], systems: Iterable[System] | None = None, *, viewer: Any = None
) -> dict[int, list[RunVerdict]]:
    """By run number, what the champions of these systems, or of all, say of each run. Few queries for many runs.
    `viewer` as in `verdicts_of_run`."""
    models = models_of(systems)
    versions = [each.champion for each in models if each.champion is not None]
    keys = [run.pk for run in runs]
    found = _newest_scorings(keys, versions)
    parts = _newest_parts(keys, [version.system_id for version in versions])
    hidden = hidden_from(viewer)
    return {
        run.number: [
            _verdict(run, each, each.champion, found.get((run.pk, each.system.pk), []), parts, hidden=hidden)
            for each in models
        ]
        for run in runs
    }


def checked_by_machine(
    runs: Collection[Run], systems: Iterable[System] = (), *, models: Sequence[SystemModels] | None = None
) -> dict[int, dict[int, RunVerdict]]:
    """By run number and key of the system, the verdicts that count as checked somewhere (`RunVerdict.checked`).

    What goodruns asks: mode auto, a live guarantee, verdict good, and no histogram that came later. They are of these
    systems, or of those whose `models` have been read.
    """
    automatic = [each for each in (models_of(systems) if models is None else models) if each.is_automatic]
    versions = [each.champion for each in automatic if each.champion is not None]
    keys = [run.pk for run in runs]
    if not versions or not keys:
        return {}
    scorings = _newest_scorings(keys, versions, without=("packed", "why_unscored", "bad", "unsure", "unscored"))
    parts = _newest_parts(keys, [version.system_id for version in versions])
    found: dict[int, dict[int, RunVerdict]] = {run.number: {} for run in runs}
    for run in runs:
        for each in automatic:
            of_run = scorings.get((run.pk, each.system.pk), [])
            verdict = _verdict(run, each, each.champion, of_run, parts, hidden={})
            if verdict.checked:
                found[run.number][each.system.pk] = verdict
    return found


def _newest_scorings(
    runs: Collection[int], versions: Sequence[ModelVersion], without: Sequence[str] = ()
) -> dict[tuple[int, int], list[Scoring]]:
    """By run and system, the newest scoring of each dataset by these versions, the furthest processed first; `without`
    columns that nobody will look at.
    """
    among = Scoring.objects.filter(version__in=versions, dataset__run__in=runs)
    newest = among.order_by().values("version", "dataset").annotate(newest=Max("id")).values("newest")
    rows = Scoring.objects.filter(pk__in=newest).select_related("dataset").defer("dataset__attributes", *without)
    known = {version.pk: version for version in versions}  # each with a manifest, which is long to read
    found: dict[tuple[int, int], list[Scoring]] = {}
    for row in sorted(rows, key=lambda row: (place_of(row.dataset.stage), -row.newest_part_id)):
        row.version = known[row.version_id]
        found.setdefault((row.dataset.run_id, row.version.system_id), []).append(row)
    return found


def place_of(stage: str) -> int:
    """The further a dataset has been processed, the earlier it comes."""
    return STAGES.index(stage) if stage in STAGES else len(STAGES)


@dataclass(frozen=True)
class Newest:
    """The last histograms of a system in a dataset."""

    part: int
    place: int


# By run and system, the last part of each dataset.
Parts = Mapping[tuple[int, int], Mapping[int, Newest]]


def datasets_of(run: Run) -> tuple[list[tuple[str, str]], Parts]:
    """The datasets of a run as (name, stage), and of each the last histograms of each system. One query."""
    rows = Dataset.objects.filter(run=run).order_by("stage", "name")
    grouped = rows.values_list("pk", "name", "stage", "parts__element__system").annotate(newest=Max("parts__id"))
    names: dict[int, tuple[str, str]] = {}
    found: dict[tuple[int, int], dict[int, Newest]] = {}
    for dataset, name, stage, system, newest in grouped:
        names[dataset] = (name, stage)
        if system is not None:
            found.setdefault((run.pk, system), {})[dataset] = Newest(newest, place_of(stage))
    return list(names.values()), found


def _newest_parts(runs: Collection[int], systems: Collection[int]) -> dict[tuple[int, int], dict[int, Newest]]:
    rows = Part.objects.filter(dataset__run__in=runs, element__system__in=systems).order_by()
    grouped = rows.values_list("dataset__run", "element__system", "dataset", "dataset__stage")
    found: dict[tuple[int, int], dict[int, Newest]] = {}
    for run, system, dataset, stage, newest in grouped.annotate(newest=Max("id")):
        found.setdefault((run, system), {})[dataset] = Newest(newest, place_of(stage))
    return found


def _verdict(
    run: Run,
    models: SystemModels,
    version: ModelVersion | None,
    scorings: Sequence[Scoring],
    parts: Parts,
    *,
    hidden: HiddenOf,
) -> RunVerdict:
    scoring = scorings[0] if scorings else None
    is_stale = scoring is not None and (
        scoring.last != run.last_lumisection or _came_since(scoring, parts.get((run.pk, models.system.pk), {}))
    )
    return RunVerdict(
        system=models.system,
        version=version,
        mode=models.mode,
        domain=run.domain,
        scoring=scoring,
        is_stale=is_stale,
        counts=models.is_automatic and version == models.champion and scoring is not None and not is_stale,
        hidden=hidden.get((run.pk, models.system.pk)) if scoring is not None else None,
    )


def _came_since(scoring: Scoring, parts: Mapping[int, Newest]) -> bool:
    """Whether this dataset has newer histograms, or one that is processed as far, or further, has not been scored."""
    mine = place_of(scoring.dataset.stage)
    return any(
        newest.part > scoring.newest_part_id
        if dataset == scoring.dataset_id
        else newest.place < mine or (newest.place == mine and newest.part > scoring.newest_part_id)
        for dataset, newest in parts.items()
    )


# --- coverage -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Coverage:
    """What a version has said so far: runs, and lumisections by verdict. A run in several datasets counts once.

    `hidden` is how many lumisections the person who asks is told no verdict of.
    """

    runs: int
    lumisections: Mapping[Verdict, int]
    first_run: int | None = None
    last_run: int | None = None
    hidden: int = 0

    @property
    def total(self) -> int:
        return sum(self.lumisections.values()) + self.hidden


def newest_scorings(version: ModelVersion) -> AppendOnlyQuerySet[Scoring]:
    """The scorings of a version that count, the highest run first."""
    newest = Scoring.objects.filter(version=version).order_by().values("dataset").annotate(newest=Max("id"))
    rows = Scoring.objects.filter(pk__in=newest.values("newest")).select_related("dataset__run").defer("packed")
    return rows.order_by("-dataset__run__number", "-id")


def coverage_of(version: ModelVersion, *, viewer: Any = None) -> Coverage:
    """Over all runs that the version has scored, as `viewer` is told."""
    by_run: dict[int, Scoring] = {}
    rows = newest_scorings(version)
    for row in sorted(rows, key=lambda row: (place_of(row.dataset.stage), -row.newest_part_id)):
        by_run.setdefault(row.dataset.run.number, row)
    shown = shown_to(viewer, version, by_run.values())
    counts = {verdict: sum(len(row.of(verdict)) for row in shown) for verdict in Verdict}
    hidden = sum(row.scoring.last for row in shown) - sum(counts.values())
    return Coverage(len(by_run), counts, min(by_run, default=None), max(by_run, default=None), hidden)


def scored_runs(versions: Sequence[ModelVersion]) -> dict[int, tuple[int, int, int]]:
    """By key of the version: how many runs it has scored, the first and the last of their numbers. One query."""
    rows = Scoring.objects.filter(version__in=versions).order_by().values_list("version")
    number = "dataset__run__number"
    counted = rows.annotate(runs=Count("dataset__run", distinct=True), first=Min(number), latest=Max(number))
    return {version: (runs, first, latest) for version, runs, first, latest in counted}
