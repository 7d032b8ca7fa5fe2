"""Scoring one dataset with one model: histograms in, verdicts out. Only workers and commands come here.

What is read first is what the scoring says it saw: whatever comes while the model works asks for the next scoring.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from django.db.models import Max

from certifier.lumi import LumiSet
from certifier.monitoring.models import Part
from certifier.monitoring.selectors import conditions_of, coverage_of_run, histograms
from certifier.runs.models import Dataset, Run
from certifier.runs.selectors import lumisection_times

from . import files, services
from .errors import NothingToScore
from .models import ModelVersion, Scoring, Verdict
from .verdicts import Judgement, Stretch

if TYPE_CHECKING:
    from mlcore.pipeline import Scores
    from mlcore.pipeline.scores import Evidence

Progress = Callable[[float, str], None]

# Lumisections of one verdict with a smaller gap between them are looked at together.
NEAR: Final = 3
# How many findings of a run get bins and past cases; the others name their elements.
MOST_EXPLAINED: Final = 40
MOST_BINS: Final = 12


def score_dataset(
    version: ModelVersion, dataset: Dataset, progress: Progress = lambda share, words: None, *, model: Any = None
) -> Scoring:
    """Score all of a dataset, and write it down; `model` is the version's, where it was loaded before.

    Raises NothingToScore, ModelUnusable, HistogramsLost.
    """
    began = time.monotonic()
    run = Run.objects.get(pk=dataset.run_id)
    parts = Part.objects.filter(dataset=dataset, element__system=version.system_id)
    newest = parts.aggregate(newest=Max("id"))["newest"]
    if newest is None or not run.last_lumisection:
        raise NothingToScore(version.system.code, run.number, dataset.name)
    progress(0.05, f"reading histograms of run {run.number}")
    covered = coverage_of_run(run).get(dataset, [])
    blocks = histograms(run, [each for each in covered if each.element.system_id == version.system_id])
    progress(0.3, f"loading {version}")
    model = files.load(version) if model is None else model
    progress(0.4, f"scoring {run.last_lumisection:,} lumisections")
    domain = conditions_of(run, np.arange(1, run.last_lumisection + 1), times=lumisection_times(run))
    judgement = judge(model.score(list(blocks.values()), conditions=domain), run.last_lumisection)
    _tell_known_runs(judgement)
    progress(0.95, "writing verdicts")
    return services.record_scoring(
        actor=None,
        version=version,
        dataset=dataset,
        newest_part=newest,
        judgement=judgement,
        took_s=time.monotonic() - began,
    )


class Scorer:
    """Scores one dataset after another; a model is loaded once as long as the version stays the same."""

    def __init__(self) -> None:
        self._version: ModelVersion | None = None
        self._model: Any = None

    def score(self, version: ModelVersion, dataset: Dataset) -> Scoring:
        """As `score_dataset`."""
        if version != self._version:
            self._version, self._model = None, files.load(version)
            self._version = version
        return score_dataset(version, dataset, model=self._model)


def judge(scores: Scores, last: int) -> Judgement:
    """What mlcore answers for lumisections 1 to `last`, each once and in order, as the program keeps it."""
    verdicts = {verdict: _where(scores.verdict == place) for place, verdict in enumerate(Verdict)}
    values = scores.model.decision_scale(scores.score, scores.probability)
    why: dict[str, LumiSet] = {}
    for number in verdicts[Verdict.UNSCORED].numbers():
        reason = scores.reason(number - 1)
        why[reason] = why.get(reason, LumiSet()) | LumiSet.from_numbers([number])
    return Judgement(
        last=last,
        good=verdicts[Verdict.GOOD],
        bad=verdicts[Verdict.BAD],
        unsure=verdicts[Verdict.UNSURE],
        scores=np.where(scores.verdict == list(Verdict).index(Verdict.UNSCORED), np.nan, values),
        is_probability=scores.model.calibrator_ is not None,
        why_unscored=why,
        stretches=list(_stretches(scores, values, verdicts)),
    )


def _tell_known_runs(judgement: Judgement) -> None:
    """Say of each similar case whether its run is known here: a model may have learned from others."""
    cases = [case for stretch in judgement.stretches for case in stretch.evidence.get("cases", ())]
    known = set(Run.objects.filter(number__in={case["run"] for case in cases}).values_list("number", flat=True))
    for case in cases:
        case["known"] = case["run"] in known


def _where(mask: Any) -> LumiSet:
    return LumiSet.from_mask(mask)


def _stretches(scores: Scores, values: Any, verdicts: dict[Verdict, LumiSet]) -> Iterator[Stretch]:
    """Every lumisection that is bad or unsure lies in exactly one: those that mlcore finds first, then what is left."""
    pieces: list[tuple[LumiSet, Verdict]] = []
    left = verdicts[Verdict.BAD] | verdicts[Verdict.UNSURE]
    for stretch in scores.stretches:
        inside = LumiSet.from_numbers(row + 1 for row in stretch.rows) & left
        if inside:
            pieces.append((inside, Verdict.BAD if inside & verdicts[Verdict.BAD] else Verdict.UNSURE))
            left -= inside
    for verdict in (Verdict.BAD, Verdict.UNSURE):
        pieces += [(piece, verdict) for piece in together(left & verdicts[verdict])]
    pieces.sort(key=lambda piece: piece[0].first or 0)
    peaks = [_peak(values, piece) for piece, _ in pieces]
    worst = sorted(range(len(pieces)), key=lambda place: -values[peaks[place]])[:MOST_EXPLAINED]
    explained = dict(zip(worst, scores.evidences([peaks[place] for place in worst]), strict=True))
    for place, ((piece, verdict), peak) in enumerate(zip(pieces, peaks, strict=True)):
        yield Stretch(
            lumisections=piece,
            verdict=verdict,
            suspected_defect=_suspected(scores, piece),
            score=float(values[peak]),
            evidence=_evidence(scores, peak, explained.get(place)),
        )


def together(lumisections: LumiSet) -> Iterable[LumiSet]:
    """The set cut wherever NEAR lumisections or more lie between two of it."""
    found: list[LumiSet] = []
    last = 0
    for first, end in lumisections:
        piece = LumiSet.from_ranges([(first, end)])
        if found and first - last <= NEAR:
            found[-1] |= piece
        else:
            found.append(piece)
        last = end
    return found


def _rows(piece: LumiSet) -> Any:
    return np.fromiter(piece.numbers(), dtype=np.int64) - 1


def _peak(values: Any, piece: LumiSet) -> int:
    rows = _rows(piece)
    return int(rows[np.argmax(np.nan_to_num(values[rows], nan=-1.0))])


def _suspected(scores: Scores, piece: LumiSet) -> str:
    """The defect that most of the lumisections are suspected of, of those that are suspected of any."""
    names, counts = np.unique([name for name in scores.family[_rows(piece)].tolist() if name], return_counts=True)
    return str(names[np.argmax(counts)]) if len(names) else ""


def _evidence(scores: Scores, peak: int, evidence: Evidence | None) -> dict[str, Any]:
    """What speaks for a finding, at its worst lumisection: docs/precertification.md describes it."""
    from mlcore.artifacts.manifest import as_json

    if evidence is None:
        elements = scores.odd_elements(peak)
        found: dict[str, Any] = {"lumisection": peak + 1, "reason": scores.reason(peak)}
        return found | {"elements": [{"element": each.element, "score": round(each.score, 2)} for each in elements]}
    bins = sorted(evidence.bins, key=lambda each: -abs(each.pull))[:MOST_BINS]
    plain = {
        "lumisection": evidence.lumisection,
        "reason": evidence.reason,
        "elements": [{"element": each.element, "score": round(each.score, 2)} for each in evidence.elements],
        "bins": [
            {"element": each.element, "place": each.place, "ranges": each.ranges, "count": each.count,
             "pull": round(each.pull, 2)}
            for each in bins
        ],
        "objects": {name: round(share, 3) for name, share in evidence.objects.items() if share >= 0.005},
        "cases": [
            {"run": each.run, "lumisection": each.lumisection, "bad": each.bad, "defect": each.family,
             "distance": round(each.distance, 2)}
            for each in evidence.cases
        ],
    }  # fmt: skip
    return dict(as_json(plain))
