"""Which features move with a defect, and how sure that is when hundreds were looked at.

Lumisections follow each other: a feature drifts, a defect lasts. Two drifting things that have nothing to do with each
other agree for long stretches, and a test that takes lumisections for independent calls hundreds of features
significant. So the defect is moved along the year: the flags are shifted in a circle, by every possible number of
lumisections, and what the features show at the true place is compared with what they show at all others. Shifting keeps
how long the defect lasts and how the features drift, and breaks only what is between them. With n lumisections
there are n places, so no p-value is below 1 / n.

Over all features the greatest statistic of each shift is what the family is judged by (single-step max-T of Westfall
and Young): with probability 0.95 no feature of a defect that moves none has `p_family` below 0.05. That holds when
drifts are much shorter than the year; it is tested by simulation. `q` is the false discovery rate after Benjamini and
Hochberg, for reading further down the list.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft
from scipy.stats import false_discovery_control, rankdata
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer

from .conditions import Conditions, FloatArray
from .errors import BadLabels, ShapeError, TooFewData
from .features import FeatureTable

FEWEST_LUMISECTIONS: Final = 100
FEWEST_AFFECTED: Final = 3
_KNOTS: Final = 5
_AT_ONCE: Final = 64
# Equal but for the rounding of a Fourier transform.
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Association:
    """One feature beside a defect.

    area : probability that the feature is larger where the defect is than where it is not (0.5: no difference).
    shift : difference of the medians, in standard deviations (from the median absolute deviation) where it is not.
    p : of this feature alone; p_family : that any feature of a defect that moves none would show as much;
    q : false discovery rate of this feature and all above it.
    affected, others : lumisections with and without the defect in which the feature is known.
    """

    feature: str
    group: str
    area: float
    shift: float
    p: float
    p_family: float
    q: float
    affected: int
    others: int


def associate(table: FeatureTable, affected: npt.NDArray[np.bool_], *, conditioned: bool = True) -> list[Association]:
    """Every feature of a table (n lumisections, f features) beside a defect, the surest first.

    `affected` (n,) is where the defect is. With `conditioned`, what luminosity and pile-up explain of a feature (a
    spline in both) is taken off first, so that a defect of the first hour does not move with all that the first hour
    moves; of a defect that only luminosity brings, what it does goes as well. Features that are known in too few
    lumisections, or constant, are left out.

    Raises ShapeError, BadLabels for a defect that is nowhere or everywhere, and TooFewData below 100 lumisections or 3
    with the defect.
    """
    flags = np.asarray(affected)
    if flags.shape != (len(table),) or flags.dtype != np.bool_:
        raise ShapeError(f"associate: {flags.dtype} flags of shape {flags.shape}; send booleans, one per lumisection.")
    if flags.all() or not flags.any():
        raise BadLabels("associate: the defect is nowhere, or everywhere: there is nothing to compare with.")
    if len(table) < FEWEST_LUMISECTIONS or flags.sum() < FEWEST_AFFECTED:
        raise TooFewData(
            f"associate: {len(table)} lumisections, {int(flags.sum())} with the defect; at least {FEWEST_LUMISECTIONS} "
            f"and {FEWEST_AFFECTED} are needed."
        )
    order = np.lexsort((table.conditions.lumisection, table.conditions.run))
    values, flags = table.values[order], flags[order]
    kept = [place for place in range(values.shape[1]) if _is_worth(values[:, place], flags)]
    if not kept:
        return []
    if conditioned:
        values = values.copy()
        values[:, kept] = _without_conditions(values[:, kept], table.conditions.select(order))
    alone, family = _p_values(values[:, kept], flags)
    rates = false_discovery_control(alone, method="bh")
    found = [
        Association(
            table.names[place], table.groups[place], *_effect(values[:, place], flags), p, q_family, q,
            *_counts(values[:, place], flags),
        )
        for place, p, q_family, q in zip(kept, alone.tolist(), family.tolist(), rates.tolist(), strict=True)
    ]  # fmt: skip
    return sorted(found, key=lambda each: (each.p_family, each.p, -abs(each.area - 0.5)))


def _is_worth(values: FloatArray, flags: npt.NDArray[np.bool_]) -> bool:
    known = np.isfinite(values)
    return bool(
        (known & flags).sum() >= FEWEST_AFFECTED and known.sum() >= FEWEST_LUMISECTIONS and np.ptp(values[known]) > 0
    )


def _without_conditions(values: FloatArray, conditions: Conditions) -> FloatArray:
    """(n, f) what is left of the features once luminosity and pile-up have explained what they can.

    The defect must not be looked at here: fitted where it is not, the spline would be worse where it is, and every
    feature would seem to move with it.
    """
    columns = [column for column in (conditions.luminosity, conditions.pileup) if np.isfinite(column).sum() > _KNOTS]
    columns = [column for column in columns if np.ptp(column[np.isfinite(column)]) > 0]
    if not columns:
        return values
    known = np.column_stack([np.where(np.isfinite(column), column, np.nanmedian(column)) for column in columns])
    left = values.copy()
    model = make_pipeline(SplineTransformer(n_knots=_KNOTS, knots="quantile"), Ridge(alpha=1e-3))
    for place in range(values.shape[1]):
        rows = np.isfinite(values[:, place])
        # In units of its own spread, so that the penalty means the same for every feature.
        scale = float(values[rows, place].std()) or 1.0
        model.fit(known[rows], values[rows, place] / scale)
        left[rows, place] = values[rows, place] - scale * model.predict(known[rows])
    return left


def _p_values(values: FloatArray, flags: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """(f,) twice: of each feature alone, and of the family."""
    count = len(flags)
    moved = np.conj(rfft(flags.astype(np.float64)))
    greatest = np.zeros(count)
    observed, alone = [], []
    for start in range(0, values.shape[1], _AT_ONCE):
        statistic = _statistics(values[:, start : start + _AT_ONCE], flags, moved)
        here = statistic[0]
        observed.append(here)
        alone.append((statistic >= here - _ROUNDING).mean(axis=0))
        np.maximum(greatest, statistic.max(axis=1), out=greatest)
    seen = np.concatenate(observed)
    family = (greatest[:, None] >= seen[None, :] - _ROUNDING).mean(axis=0)
    return np.concatenate(alone), family


def _statistics(values: FloatArray, flags: npt.NDArray[np.bool_], moved: npt.NDArray[Any]) -> FloatArray:
    """(n shifts, f): how far the mean rank where the moved defect is lies from that of the rest, in units of its own
    standard deviation over all shifts; row 0 is the defect where it was.
    """
    known = np.isfinite(values)
    ranks = np.zeros(values.shape)
    for place in range(values.shape[1]):
        rows = known[:, place]
        ranked = rankdata(values[rows, place])
        ranks[rows, place] = ranked - ranked.mean()
    count = len(flags)
    # The sum over the moved defect, for all shifts at once.
    total = irfft(rfft(ranks, axis=0) * moved[:, None], n=count, axis=0)
    inside = irfft(rfft(known.astype(np.float64), axis=0) * moved[:, None], n=count, axis=0)
    outside = known.sum(axis=0)[None, :] - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        statistic = np.abs(total) / np.sqrt(inside * outside)
    # Where the moved defect meets no known value, it shows nothing.
    statistic = np.where((inside > 0.5) & (outside > 0.5), statistic, 0.0)
    spread = np.sqrt((statistic**2).mean(axis=0))
    return np.asarray(statistic / np.where(spread > 0, spread, 1.0))


def _effect(values: FloatArray, flags: npt.NDArray[np.bool_]) -> tuple[float, float]:
    known = np.isfinite(values)
    inside, outside = values[known & flags], values[known & ~flags]
    ranks = rankdata(np.concatenate([inside, outside]))[: len(inside)]
    area = (ranks.sum() - len(inside) * (len(inside) + 1) / 2) / (len(inside) * len(outside))
    middle = float(np.median(outside))
    spread = 1.4826 * float(np.median(np.abs(outside - middle)))
    return float(area), (float(np.median(inside)) - middle) / spread if spread > 0 else float("nan")


def _counts(values: FloatArray, flags: npt.NDArray[np.bool_]) -> tuple[int, int]:
    known = np.isfinite(values)
    return int((known & flags).sum()), int((known & ~flags).sum())
