"""How y goes with x: how far it depends on it at all, and a curve whose errors are counted where points are dense and
where they are sparse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn import config_context
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, SplineTransformer

from mlcore.conditions import BoolArray, FloatArray, IntArray
from mlcore.dependence import distance_correlation
from mlcore.errors import ShapeError, TooFewData
from mlcore.uncertainty.bootstrap import BootstrapRegressor
from mlcore.uncertainty.conformal import ConformalRegressor
from mlcore.uncertainty.intervals import IntervalRegressor
from mlcore.uncertainty.places import Places, coverage_by_place

#: half of them is fitted, the other half counted, at least twenty in the sparsest group
FEWEST: Final = 60
#: more points than this say the same, and take longer
MOST: Final = 1_500
INNER: Final = 0.68
OUTER: Final = 0.95
#: places of x at which the curve is drawn
GRID: Final = 60
BOOTSTRAP: Final = "bootstrap"
MEASURED: Final = "measured"


@dataclass(frozen=True)
class Relation:
    """correlation : distance correlation of x and y, around 0 where they have nothing to do with each other, 1 for a
    line. x (60,), middle (60,) : the curve. inner, outer : (2, 60) between which 68% and 95% of new points lie, by the
    method that is believed. counted : by which this was decided, on runs that no curve had seen."""

    correlation: float
    x: FloatArray
    middle: FloatArray
    inner: FloatArray
    outer: FloatArray
    method: str
    counted: Places


def relation(
    x: npt.ArrayLike, y: npt.ArrayLike, runs: npt.ArrayLike, *, most: int = MOST, random_state: int = 0
) -> Relation:
    """Of n points, each of a run. Every other run is left out, and counted is how often its points lie where a curve
    through the others says: by a bootstrap, which trusts the curve, and by intervals measured around it. Believed is
    the bootstrap where it holds what it says everywhere, else what is measured.

    Points that are not finite are left out; of more than `most`, evenly spread ones are taken. Raises ShapeError, and
    TooFewData with fewer than sixty points, fewer than two runs or one value of x.
    """
    one, two, of = _known(x, y, runs)
    kept = np.linspace(0, len(one) - 1, min(len(one), most)).astype(np.intp)
    one, two, of = one[kept], two[kept], of[kept]
    numbers = np.unique(of)
    if len(one) < FEWEST or len(numbers) < 2 or np.ptp(one) == 0:
        raise TooFewData(
            f"{len(one)} points of {len(numbers)} runs at {len(np.unique(one))} values of x: a curve with errors needs "
            f"{FEWEST} points, two runs and an x that varies."
        )
    # Everything is finite by now: what scikit-learn checks again takes longer than what it works out.
    with config_context(assume_finite=True, skip_parameter_validation=True):
        return _relation(one, two, np.isin(of, numbers[1::2]), random_state)


def _relation(one: FloatArray, two: FloatArray, held: BoolArray, random_state: int) -> Relation:
    table = one[:, None]
    tried = {name: model.fit(table[~held], two[~held]) for name, model in _models(random_state).items()}
    counted = _counted(tried, table[~held], table[held], two[held])
    method = BOOTSTRAP if holds(counted, BOOTSTRAP) else MEASURED
    model = _models(random_state)[method].fit(table, two)
    places = np.linspace(one.min(), one.max(), GRID)
    inner, outer = (np.stack(model.interval(places[:, None], level)) for level in (INNER, OUTER))
    correlation = distance_correlation(one, two, random_state=random_state)
    return Relation(correlation, places, model.predict(places[:, None]), inner, outer, method, counted)


def _known(x: npt.ArrayLike, y: npt.ArrayLike, runs: npt.ArrayLike) -> tuple[FloatArray, FloatArray, IntArray]:
    one, two, of = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64), np.asarray(runs, dtype=np.int64)
    if one.ndim != 1 or one.shape != two.shape or one.shape != of.shape:
        raise ShapeError(f"x {one.shape}, y {two.shape} and runs {of.shape} are not columns of one length.")
    known = np.isfinite(one) & np.isfinite(two)
    return one[known], two[known], of[known]


def _counted(tried: Mapping[str, IntervalRegressor], known: FloatArray, x: FloatArray, y: FloatArray) -> Places:
    """In as many groups from dense to sparse as there are points for; where x repeats itself, in fewer."""
    for groups in (3, 2):
        try:
            return coverage_by_place(tried, known, x, y, level=INNER, groups=groups)
        except TooFewData:
            continue
    return coverage_by_place(tried, known, x, y, level=INNER, groups=1)


def _models(random_state: int) -> Mapping[str, IntervalRegressor]:
    def bootstrap(replicates: int) -> BootstrapRegressor:
        return BootstrapRegressor(estimator=_curve(), replicates=replicates, random_state=random_state)

    return {
        BOOTSTRAP: bootstrap(12),
        MEASURED: ConformalRegressor(estimator=bootstrap(5), folds=3, groups=3, random_state=random_state),
    }


def _curve() -> Any:
    """Cubic pieces in the ranks of x: between far points there is nothing to bend a curve by."""
    ranks = QuantileTransformer(n_quantiles=20, subsample=None)
    return make_pipeline(ranks, SplineTransformer(n_knots=6, extrapolation="linear"), Ridge(alpha=1e-2))


def holds(counted: Places, method: str) -> bool:
    """Whether a method holds what it says in all places, up to two standard deviations of counting it or one point."""
    found = counted.found[method]
    return all(abs(each.inside - each.level) <= max(2.0 * each.error, 0.01) for each in found)
