"""Three verdicts with a stated guarantee: good, bad, or ask an expert."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import BoolArray, FloatArray
from mlcore.errors import MlcoreError, ShapeError
from mlcore.evaluate import BAD, GOOD, UNSCORED, UNSURE, Scored, scored

from .bounds import clean_needed
from .guarantee import Guarantee, Part, SideBound
from .likeness import Smoothing
from .sequence import Sequence, loss_sequence, pollution_sequence

REST = "rest"


class SelectivePolicy(BaseEstimator):  # type: ignore[misc,no-any-unimported]  # scikit-learn has no types
    """Chooses t_good and t_bad so that pollution and loss stay within limits, or refuses in words.

    A lumisection is good when its probability of being bad is below t_good, bad when it is above t_bad, else an expert
    is asked. Pollution is the weighted share of bad among what is called good; loss the weighted share called bad among
    the good. Each threshold is found by testing from the safest outwards and stopping at the first that fails (fixed
    sequence testing, arXiv:2110.01052), with a bound that knows that lumisections of one run are alike (`bounds`,
    `sequence`). Weights are the luminosity: rates are of luminosity, and uneven weights count as fewer lumisections.

    Parameters
    ----------
    pollution, loss : limits; None for a side that is never automatic.
    confidence : probability that *both* limits hold, for each stratum by itself.
    pollution_share : part of the failure probability that is spent on pollution, the rest on loss.
    design_effect_floor : n is divided by at least this.
    prior_runs : at so many runs the measured design effect counts as much as the one that the scores let expect.
    neighbour : the design effect is estimated where there are this many times as many errors.
    fewest_bad, fewest_runs : fewer bad lumisections promise no pollution; fewer runs promise nothing.
    fewest_in_stratum : smaller strata are put together as "rest"; by default as many as the limits need at the floor.
    enough : share of the luminosity that need not be exceeded by what is called good: the last percents are those in
        which the errors lie, and where they are left to experts a limit is kept also when the data change somewhat.
    least : share of the luminosity from which on thresholds for good are tested. So little that it is not worth having
        proves nothing either: a handful of errors among the surest would end the walk before it has begun. Chosen
        beforehand, it costs no confidence; where it fails there, nothing is called good.

    Learned: `t_good_`, `t_bad_` (NaN when that side is refused; of the first part when there are strata), `refusal_`
    (words, empty when nothing is refused), `guarantee_` and `report_`, the same as plain JSON.

    Where the guarantee is weaker than it says: see `mlcore.bench.guarantee`, which measures it.
    """

    def __init__(
        self,
        *,
        pollution: float | None = 0.005,
        loss: float | None = 0.005,
        confidence: float = 0.95,
        pollution_share: float = 0.5,
        design_effect_floor: float = 5.0,
        prior_runs: float = 150.0,
        neighbour: float = 5.0,
        fewest_bad: int = 30,
        fewest_runs: int = 10,
        fewest_in_stratum: int | None = None,
        enough: float = 1.0,
        least: float = 0.0,
    ) -> None:
        self.pollution = pollution
        self.loss = loss
        self.confidence = confidence
        self.pollution_share = pollution_share
        self.design_effect_floor = design_effect_floor
        self.prior_runs = prior_runs
        self.neighbour = neighbour
        self.fewest_bad = fewest_bad
        self.fewest_runs = fewest_runs
        self.fewest_in_stratum = fewest_in_stratum
        self.enough = enough
        self.least = least

    def fit(
        self,
        probability_bad: npt.ArrayLike,
        labels: npt.ArrayLike,
        runs: npt.ArrayLike,
        *,
        weights: npt.ArrayLike | None = None,
        strata: npt.ArrayLike | None = None,
    ) -> Self:
        """Calibrate on confirmed lumisections of runs that nothing was trained on.

        Parameters
        ----------
        probability_bad : (n,) from 0 to 1, NaN where there is no score.
        labels : (n,) 0 good, 1 bad.
        runs : (n,) run of each lumisection.
        weights : (n,) luminosity; all alike when None.
        strata : (n,) names of conditions (beam type, pile-up band) that get thresholds of their own.

        Too few data are no error: that side is refused, in words. Raises ShapeError, BadLabels, MlcoreError.
        """
        self._check_parameters()
        p = _probabilities(probability_bad)
        run = np.asarray(runs)
        rows = scored(p, labels, run, weights)
        weight = np.ones(p.size) if weights is None else np.asarray(weights, dtype=np.float64)
        known, place = self._strata(strata, ~np.isnan(p) & (weight > 0))
        self.part_of_: dict[str, str] = self._deal(known, np.bincount(place, minlength=known.size))
        parts = []
        for name in dict.fromkeys(self.part_of_.values()):
            members = tuple(stratum for stratum, part in self.part_of_.items() if part == name)
            here = np.isin(known, members)[place]
            parts.append(self._part(name, rows if here.all() else rows.select(here), members))
        self._keep(
            Guarantee(
                confidence=self.confidence,
                parts=tuple(parts),
                unscored=rows.left_out,
                first_run=str(run.min()) if run.size else "",
                last_run=str(run.max()) if run.size else "",
            )
        )
        return self

    def decide(self, probability_bad: npt.ArrayLike, *, strata: npt.ArrayLike | None = None) -> npt.NDArray[np.int8]:
        """(n,) verdicts: GOOD 0, BAD 1, UNSURE 2, UNSCORED 3 (no probability). A stratum that was never calibrated is
        UNSURE throughout. Raises MlcoreError for numbers outside [0, 1], NotFittedError before `fit`."""
        check_is_fitted(self, "guarantee_")
        p = _probabilities(probability_bad)
        verdicts = np.full(p.size, UNSURE, dtype=np.int8)
        everywhere = self.guarantee_.parts[0].members == ("",)
        if strata is None and not everywhere:
            raise MlcoreError("this policy was calibrated by strata; say of each lumisection in which stratum it is.")
        names = np.full(p.size, "") if strata is None else np.asarray(strata).astype(str)
        if names.shape != p.shape:
            raise ShapeError(f"{p.size} probabilities, but strata of shape {names.shape}.")
        for part in self.guarantee_.parts:
            here = np.ones(p.size, dtype=bool) if everywhere else np.isin(names, part.members)
            good, bad = _verdicts(p, part.t_good, part.t_bad)
            verdicts[here & good] = GOOD
            verdicts[here & bad] = BAD
        verdicts[np.isnan(p)] = UNSCORED
        return verdicts

    @classmethod
    def from_report(cls, report: dict[str, Any], **parameters: Any) -> SelectivePolicy:
        """A policy that decides as the one did whose `report_` this is; `parameters` as given to `__init__`."""
        policy = cls(**parameters)
        policy._keep(Guarantee.from_json(report))
        policy.part_of_ = {name: part.stratum for part in policy.guarantee_.parts for name in part.members}
        return policy

    def _keep(self, guarantee: Guarantee) -> None:
        first = guarantee.parts[0]
        self.guarantee_ = guarantee
        self.t_good_ = float("nan") if first.t_good is None else first.t_good
        self.t_bad_ = float("nan") if first.t_bad is None else first.t_bad
        self.refusal_ = guarantee.refusal
        self.report_ = guarantee.as_json()

    def _check_parameters(self) -> None:
        for name in ("pollution", "loss"):
            limit = getattr(self, name)
            if limit is not None and not 0 < limit < 1:
                raise MlcoreError(f"{name} is {limit}; a limit lies between 0 and 1, None switches the side off.")
        if not 0 < self.confidence < 1 or not 0 < self.pollution_share < 1:
            raise MlcoreError("confidence and pollution_share lie between 0 and 1.")
        if not 0 < self.enough <= 1 or not 0 <= self.least < self.enough:
            raise MlcoreError(
                f"least is {self.least}, enough {self.enough}: shares of the luminosity, the first below the second."
            )
        if self.design_effect_floor < 1 or self.neighbour < 1 or self.prior_runs < 0:
            raise MlcoreError("design_effect_floor and neighbour are at least 1, prior_runs at least 0.")

    def side_confidence(self, side: str) -> float:
        """The failure probability is split between the sides that are in use."""
        if self.pollution is None or self.loss is None:
            return self.confidence
        share = self.pollution_share if side == "pollution" else 1 - self.pollution_share
        return 1 - (1 - self.confidence) * share

    @staticmethod
    def _strata(strata: npt.ArrayLike | None, kept: BoolArray) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.intp]]:
        """Names of the strata, and of each row that is kept its place among them."""
        if strata is None:
            return np.array([""]), np.zeros(int(kept.sum()), dtype=np.intp)
        names = np.asarray(strata).astype(str)
        if names.shape != kept.shape:
            raise ShapeError(f"{kept.size} probabilities, but strata of shape {names.shape}.")
        known, place = np.unique(names[kept], return_inverse=True)
        return (known, place) if known.size else (np.array([""]), place)

    def _deal(self, known: npt.NDArray[np.str_], counts: npt.NDArray[np.intp]) -> dict[str, str]:
        """Which part each stratum belongs to."""
        if known.size == 1:
            return {str(known[0]): str(known[0])}
        fewest = self.fewest_in_stratum
        if fewest is None:
            sides = [(getattr(self, side), self.side_confidence(side)) for side in ("pollution", "loss")]
            needed = [clean_needed(limit, sure) for limit, sure in sides if limit is not None]
            fewest = int(max(needed, default=0) * self.design_effect_floor)
        return {str(name): str(name) if n >= fewest else REST for name, n in zip(known, counts, strict=True)}

    def _part(self, name: str, rows: Scored, members: tuple[str, ...]) -> Part:
        smoothing = Smoothing(self.design_effect_floor, self.prior_runs, self.neighbour)
        rows = rows.select(np.argsort(rows.score, kind="stable"))  # whoever sorts again finds it done
        present = np.bincount(rows.run) > 0
        runs = int(present.sum())
        rows = Scored(rows.score, rows.label, (np.cumsum(present) - 1)[rows.run], rows.weight, rows.left_out)
        pollution = None if self.pollution is None else self._side("pollution", self.pollution, rows, runs, smoothing)
        loss = None if self.loss is None else self._side("loss", self.loss, rows, runs, smoothing)
        t_good = pollution.threshold if pollution else None
        t_bad = loss.threshold if loss else None
        if t_good is not None and t_bad is not None and t_good > t_bad:
            t_good = t_bad = _cut(rows, t_bad, t_good)
        good, bad = _verdicts(rows.score, t_good, t_bad)
        automatic = float(rows.weight[good | bad].sum() / rows.weight.sum()) if len(rows) else 0.0
        return Part(name, members, len(rows), int(rows.label.sum()), runs, t_good, t_bad, pollution, loss, automatic)

    def _side(self, side: Any, limit: float, rows: Scored, runs: int, smoothing: Smoothing) -> SideBound:
        confidence = self.side_confidence(side)
        needed = clean_needed(limit, confidence)
        bad = int(rows.label.sum())
        words = ""
        if runs < self.fewest_runs:
            words = (
                f"Nothing is automatic: {runs} runs of confirmed lumisections, at least {self.fewest_runs} are needed "
                "to see how alike lumisections of one run are. Confirm more runs."
            )
        elif side == "pollution" and bad < self.fewest_bad:
            words = (
                f"No lumisection is called good automatically: {bad} bad ones were confirmed, at least "
                f"{self.fewest_bad} are needed to know where bad ones lie."
            )
        elif side == "loss" and bad == len(rows):
            words = "No lumisection is called bad automatically: no good one was confirmed, so loss is not known."
        if words:
            return SideBound(
                side, limit, confidence, None, None, None, len(rows), 0.0, 0.0, smoothing.floor, needed, words
            )
        sequence = loss_sequence(rows, smoothing) if side == "loss" else pollution_sequence(rows, smoothing)
        wanted = (self.least, self.enough) if side == "pollution" else (0.0, 1.0)
        return _bound(side, limit, confidence, sequence, rows, wanted)


def _bound(  # noqa: PLR0917  # what is promised, and what it is measured on
    side: Any, limit: float, confidence: float, sequence: Sequence, rows: Scored, wanted: tuple[float, float]
) -> SideBound:
    place, needed = sequence.certify(limit, confidence, *wanted), clean_needed(limit, confidence)
    if place >= 0:
        threshold = float(sequence.threshold[place])
        among = (rows.score < threshold) if side == "pollution" else (rows.label == 0)
        effect, n = float(sequence.design_effect[place]), float(sequence.n[place])
        bound = float(sequence.bounds(confidence)[place])
        observed = float(sequence.rate[place])
        return SideBound(
            side, limit, confidence, threshold, bound, observed, int(among.sum()), n, n / effect, effect, needed
        )
    # What was missing is told at the threshold inside which most lumisections lie before errors pass the limit.
    within = np.flatnonzero(sequence.rate <= limit)
    place = int(within[np.argmax((sequence.n / sequence.design_effect)[within])]) if within.size else 0
    effect, n = float(sequence.design_effect[place]), float(sequence.n[place])
    called = "good" if side == "pollution" else "bad"
    among = (rows.score < sequence.threshold[place]) if side == "pollution" else (rows.label == 0)
    if float(sequence.n.max()) / sequence.design_effect.min() < needed:
        words = (
            f"No lumisection is called {called} automatically: {int(among.sum())} lumisections count as "
            f"{n / effect:.0f} independent ones (weights, and {effect:.1f} alike), and {side} below {limit:.2%} with "
            f"{confidence:.1%} confidence needs at least {needed} of them without an error. "
            f"Confirm about {max(1, int(needed * effect * max(1.0, among.sum() / max(n, 1.0)) - among.sum()))} more."
        )
    elif not sequence.sensible.any():
        words = (
            "No lumisection is called bad automatically: at every threshold most of what lies above was labelled good. "
            "Look at the labels first, then at the model."
        )
    else:
        where = f"of {wanted[0]:.0%} of the luminosity and more" if wanted[0] else "even where the model is surest"
        words = (
            f"No lumisection is called {called} automatically: {where}, {side} cannot be shown to be below {limit:.2%} "
            f"with {confidence:.1%} confidence. Look at the labels first, then at the model."
        )
    return SideBound(side, limit, confidence, None, None, None, int(among.sum()), n, n / effect, effect, needed, words)


def _verdicts(p: FloatArray, t_good: float | None, t_bad: float | None) -> tuple[BoolArray, BoolArray]:
    nothing = np.zeros(p.size, dtype=bool)
    good = nothing if t_good is None else np.asarray(p < t_good)
    bad = nothing if t_bad is None else np.asarray(p > t_bad)
    return good, bad


def _cut(rows: Scored, low: float, high: float) -> float:
    """One threshold for both when both promises overlap: any between the two keeps both, this one errs least."""
    inside = (rows.score >= low) & (rows.score <= high)
    values, place = np.unique(np.concatenate([rows.score[inside], [low, high]]), return_inverse=True)
    place = place[:-2]
    good = np.bincount(place, rows.weight[inside] * (1 - rows.label[inside]), minlength=values.size)
    bad = np.bincount(place, rows.weight[inside] * rows.label[inside], minlength=values.size)
    wrong = np.cumsum(bad) + good.sum() - np.cumsum(good)  # cut after each value
    best = int(np.argmin(wrong[:-1]))
    return float((values[best] + values[best + 1]) / 2)


def _probabilities(values: npt.ArrayLike) -> FloatArray:
    p = np.asarray(values, dtype=np.float64)
    if p.ndim != 1:
        raise ShapeError(f"probabilities have shape {p.shape}; give one number per lumisection.")
    if ((p < 0) | (p > 1)).any():
        raise MlcoreError("probabilities lie between 0 and 1; calibrate scores first (mlcore.calibration).")
    return p


def pileup_strata(
    pileup: npt.ArrayLike, *, edges: tuple[float, ...] = (30.0, 45.0), beam: npt.ArrayLike | None = None
) -> npt.NDArray[np.str_]:
    """Names of strata from beam type and pile-up band, (n,): "pp pile-up 30-45". Unknown pile-up is a stratum."""
    mu = np.asarray(pileup, dtype=np.float64)
    if any(b <= a for a, b in pairwise(edges)):
        raise MlcoreError("edges of pile-up bands ascend.")
    bounds = ["0", *(f"{edge:g}" for edge in edges), "inf"]
    bands = np.array([f"pile-up {a}-{b}" for a, b in pairwise(bounds)] + ["pile-up unknown"])
    place = np.where(np.isnan(mu), len(bands) - 1, np.searchsorted(edges, mu, side="right"))
    names = bands[place]
    if beam is None:
        return np.asarray(names, dtype=np.str_)
    return np.asarray([f"{b} {n}" for b, n in zip(np.asarray(beam).astype(str), names, strict=True)], dtype=np.str_)
