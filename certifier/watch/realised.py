"""What the blind audit proves: realised pollution and loss of the automatic verdicts of a system, with bounds.

Experts see mostly what the machine is not sure of, so what they say of it tells nothing about what was decided without
them. Only samples that were sent by chance and without their verdict count here, each lumisection weighted by its
luminosity and by how unlikely it was to be sent. A run counts when all of its samples are answered.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from certifier.accounts.models import System
from certifier.precert.guarantee import Guarantee
from certifier.review.labels import Label, labels_of
from certifier.review.models import Decision, Item, ItemState, Kind
from certifier.runs.profile import Profile, profiles

GOOD, BAD, UNSURE = 0, 1, 2
#: What is held against a side that the champion does not promise: shown, never a reason to stop.
CONFIDENCE: Final = 0.95
MOST_POINTS: Final = 300

Rows = list[tuple[int, int, int, float, float]]


@dataclass(frozen=True, eq=False)
class Stream:
    """Answers, one row per lumisection in the order of runs: what was decided, what is true, the luminosity that it
    stands for. `probability` (n,) is that of having been sent. `pending` samples wait; their runs are left out."""

    verdict: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    run: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]
    weight: npt.NDArray[np.float64]
    pending: int
    decision: int


def stream_of(system: System, since: datetime | None = None, labels: Sequence[Label] | None = None) -> Stream:
    """The answers about verdicts on runs of which nothing had been asked until `since`. Six queries; `labels` (of the
    system) saves two.

    A later model speaks of earlier runs as well, and what it says of them is sampled again. But what was decided until
    automation stopped is for people to look at, so no answer about those runs tells how it does since.
    """
    labels = list(labels_of(system)) if labels is None else labels
    items = Item.objects.filter(system=system)
    if since is not None:
        before = set(items.filter(created_at__lte=since).order_by().values_list("run", flat=True).distinct())
        items = items.filter(created_at__gt=since).exclude(run__in=before)
    asked = set(
        Decision.objects.filter(item__in=items, pk__in=[label.decision for label in labels]).values_list(
            "pk", flat=True
        )
    )
    waiting = items.filter(kind=Kind.AUDIT, state=ItemState.OPEN).values_list("run__number", flat=True)
    open_runs = set(waiting)
    known = profiles({label.run.number for label in labels})
    rows: Rows = []
    for label in labels:
        if label.decision in asked and label.run.number not in open_runs:
            rows += _rows(label, known.get(label.run.number, Profile.unknown()))
    table = np.array(sorted(rows), dtype=np.float64).reshape(-1, 5)
    newest = max((label.decision for label in labels), default=0)
    weight = _known_weights(table[:, 4])
    run, verdict, truth = (table[:, column].astype(np.int64) for column in (0, 1, 2))
    return Stream(verdict, truth, run, table[:, 3], weight, len(waiting), newest)


def _rows(label: Label, profile: Profile) -> Iterator[tuple[int, int, int, float, float]]:
    """(run, verdict, truth, probability, luminosity) of what this answer says of the audit.

    Of answers that were not sent by chance, the lumisections of which the machine was not sure count as good ones that
    were not lost: all of these are looked at.
    """
    unsure = label.lumisections - label.called_good - label.called_bad
    parts = [(UNSURE, unsure, 1.0)]
    if label.is_audit:
        parts += [(GOOD, label.called_good, label.chance), (BAD, label.called_bad, label.chance)]
    luminosity = profile["recorded_inv_nb"]
    for verdict, where, chance in parts:
        for number in where.numbers():
            value = float(luminosity[number - 1]) if number <= len(luminosity) else math.nan
            yield label.run.number, verdict, int(label.is_bad), chance, value


def _known_weights(luminosity: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """A lumisection whose luminosity is not known counts as an average one."""
    known = np.isfinite(luminosity)
    mean = float(luminosity[known].mean()) if known.any() else 1.0
    return np.where(known, luminosity, mean if mean > 0 else 1.0)


@dataclass(frozen=True)
class Side:
    """What is realised on one side. `limit` is None where the champion promises nothing; NaN is never stored."""

    name: str
    limit: float | None
    confidence: float
    estimate: float | None
    lower: float
    upper: float
    audited: int
    runs: int
    stop: bool
    words: str
    # (run, estimate, lower, upper), the newest last
    series: list[tuple[int, float, float, float]]

    def as_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def sides_of(stream: Stream, guarantee: Guarantee) -> list[Side]:
    """Pollution and loss, against what the champion promises."""
    from mlcore.audit import decide_loss, decide_pollution

    found = []
    for name, decide in (("pollution", decide_pollution), ("loss", decide_loss)):
        promised = [side for side in guarantee.promises if side.side == name]
        limit = max((side.limit for side in promised), default=None)
        confidence = max((side.confidence for side in promised), default=CONFIDENCE)
        decided = decide(
            stream.verdict, stream.truth, stream.run,
            limit=0.5 if limit is None else limit,
            probability=stream.probability, weights=stream.weight, confidence=confidence,
        )  # fmt: skip
        bounds = decided.bounds
        points = zip(
            bounds.run.tolist(), bounds.estimate.tolist(), bounds.lower.tolist(), bounds.upper.tolist(), strict=True
        )
        found.append(
            Side(
                name=name,
                limit=limit,
                confidence=confidence,
                estimate=decided.estimate if decided.runs else None,
                lower=decided.lower,
                upper=decided.upper,
                audited=decided.audited,
                runs=decided.runs,
                stop=decided.stop and limit is not None,
                words=decided.reason if limit is not None else f"{name.capitalize()} is not promised by the champion.",
                series=list(points)[-MOST_POINTS:],
            )
        )
    return found


def side_from(document: Mapping[str, Any]) -> Side:
    """As it was stored."""
    return Side(**{**document, "series": [tuple(point) for point in document["series"]]})


def overturned_of(labels: Iterable[Label]) -> dict[str, Any]:
    """By run, the share of verdicts that experts overturned, and whether it has changed for good.

    Counts what an expert saw for whatever reason, so it is no estimate of pollution: a rise says that the machine sees
    something else than the experts do.
    """
    from mlcore.drift import FEWEST_RUNS, watch

    runs: list[int] = []
    wrong: list[int] = []
    for label in labels:
        for called_bad, where in ((False, label.called_good), (True, label.called_bad)):
            runs += [label.run.number] * len(where)
            wrong += [int(called_bad != label.is_bad)] * len(where)
    names = np.unique(runs)
    found: dict[str, Any] = {
        "decided": len(runs),
        "overturned": int(np.sum(wrong)),
        "runs": [],
        "shares": [],
        "alarm": None,
    }
    if not len(names):
        return {**found, "words": "No verdict has been looked at yet."}
    of_run, overturned = np.array(runs), np.array(wrong, dtype=np.float64)
    found["runs"] = names.tolist()[-MOST_POINTS:]
    found["shares"] = [round(float(overturned[of_run == run].mean()), 4) for run in found["runs"]]
    share = f"{found['overturned']:,} of {found['decided']:,} verdicts that experts saw were overturned"
    usual = names[: max(FEWEST_RUNS, len(names) // 2)]
    if len(names) <= 2 * FEWEST_RUNS:
        return {**found, "words": f"{share}; {len(names)} runs are too few to tell a change."}
    change = watch(overturned, of_run, usual)
    if change.alarm is None:
        return {**found, "words": f"{share}, and the share has not changed."}
    words = f"{share}. It goes {change.direction} since run {change.started}: machine and experts see other things."
    return {**found, "alarm": int(change.alarm), "words": words}
