"""An adaptive reference with its own uncertainty: follows drift, learns systematics, survives jumps and wrong labels.

The idea of DINAMO (arXiv:2501.19237), an exponentially weighted reference updated by what experts confirmed as good,
with a proper covariance instead of one variance per bin, and more than one reference when the world may have changed.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy import special
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import FloatArray
from mlcore.errors import ShapeError
from mlcore.histograms import HistogramBlock

from .base import Detector, check_labels, check_weights

#: Prior probability of a bin to be dead, for the likelihood ratio of dead bins.
DEAD = 0.02
#: Rows from which the first reference is made, as their median.
FIRST = 9
#: How far a score of a row may pull what is learned of the spread of good rows, in its standard deviations.
CLIP = 3.0
#: References that are kept at the same time.
BANK = 3
#: Log of the posterior weight below which a reference is forgotten.
LOST = -25.0
#: Histograms from whose differences the first covariance is made, and updates after which modes are computed anew.
WARM, REFRESH = 200, 20
#: Error of the relative variance of a bin from which it is not known.
UNKNOWN = 0.02


class EwmaReference(Detector):
    """Scores each histogram against an exponentially weighted reference of those confirmed good before it.

    What a good histogram does around the reference is described by a covariance: Poisson fluctuation, the uncertainty
    of the reference itself, an extra variance per bin, and a few modes in which good histograms move together (a gain,
    the response of one half). The last two are learned as relative covariances, so that they stay valid when the shape
    moves. The score is the evidence against the histogram in nats: minus the logarithm of the calibrated p-value of
    its chi-square under that covariance, plus the log likelihood ratio for dead bins among the empty ones.

    A confirmed histogram far from every reference may be a new regime or a wrong label: it becomes a second reference,
    a histogram is scored against the best of them, and those confirmed next decide between them.

    Parameters
    ----------
    memory : weight of the past at each update of the reference, in (0, 1); 0.9 remembers about ten histograms.
    systematics_memory : the same for the covariance of good histograms and the calibration of the chi-square.
    modes : most modes to learn.
    surprise : standard deviations of the chi-square from which a confirmed histogram may be a new regime.
    doubt : share of labels that may be wrong; 0 means that a confirmed histogram is always believed.

    `fit` replays history and `follow` goes on from there, both in the order given, which must be that of time. `score`
    compares every row with the reference as it stands and changes nothing. Histograms of one axis; ShapeError for more.
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def __init__(
        self,
        *,
        memory: float = 0.9,
        systematics_memory: float = 0.995,
        modes: int = 3,
        surprise: float = 5.0,
        doubt: float = 0.05,
    ) -> None:
        self.memory = memory
        self.systematics_memory = systematics_memory
        self.modes = modes
        self.surprise = surprise
        self.doubt = doubt

    def follow(
        self, data: HistogramBlock, labels: npt.ArrayLike | None = None, *, weights: npt.ArrayLike | None = None
    ) -> FloatArray:
        """Score each row against the state before it, then learn from it when it was confirmed good.

        Parameters
        ----------
        data : n histograms in order of time, of the layout it was fitted on.
        labels : (n,) what was confirmed, 0 good, 1 bad. None: rows that look good confirm themselves.
        weights : (n,) from 0, how far each confirmation is believed.

        Returns (n,) scores, NaN where there is no histogram. Changes the state.
        """
        check_is_fitted(self, "layout_")
        self._check_kind(data)
        y = check_labels(labels, len(data), both=False)
        w = check_weights(weights, len(data))
        Detector.score(self, data.select(slice(0, 0)))  # refuses another layout
        scores = np.full(len(data), np.nan)
        usable = self._usable(data)
        flat = data.flat.astype(np.float64)
        for row in np.flatnonzero(usable):
            confirmed = None if y is None else y[row] == 0
            scores[row] = self._step(flat[row], confirmed, 1.0 if w is None else float(w[row]))
        return scores

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        if len(data.axes) != 1:
            raise ShapeError(
                f"{data.element}: the adaptive reference is for histograms of one axis; use pulls or scan."
            )
        counts = data.flat.astype(np.float64)
        belief = np.ones(len(counts)) if weights is None else weights / weights.max()
        totals = counts.sum(axis=1)
        first = np.median(counts[:FIRST] / totals[:FIRST, None], axis=0) + 1e-12
        self.reference_ = (first / first.sum())[None, :]
        self.mass_ = np.array([totals[:FIRST].mean()])
        self.variance_ = np.array([1.5 / totals[:FIRST].sum()])
        self.log_weight_ = np.zeros(1)
        self.updates_, self.surprised_ = 0, 0
        self._begin(counts[:WARM])
        for row in range(len(counts)):
            self._step(counts[row], True, float(belief[row]))
        self._refresh()

    def _begin(self, counts: FloatArray) -> None:
        """First idea of how good histograms move, from the differences of neighbours, the tenth that jumped most left
        out; and of how their chi-square is distributed."""
        totals = counts.sum(axis=1)
        shapes = counts / totals[:, None]
        change = np.diff(shapes, axis=0) / np.sqrt(2)
        between = (shapes[1:] + shapes[:-1]) / 2
        noise = (1 / totals[1:] + 1 / totals[:-1]) / 2
        size = (change**2 / (between + 1e-6)).sum(axis=1) / noise
        calm = size <= np.quantile(size, 0.9)
        change, between, noise = change[calm], between[calm], noise[calm]
        self.moved_, self.scale_ = change.T @ change, between.T @ between
        self.poisson_ = noise @ between
        self.seen_ = np.array([len(change), len(change)], dtype=np.float64)
        self.usual_ = np.array([0.0, 1.0, 0.0])
        self._refresh()
        usual = self._evidence(counts)[1].min(axis=1)
        middle = float(np.median(usual))
        self.usual_ = np.array([middle, max(1.5 * float(np.median(np.abs(usual - middle))), 0.5), 0.0])

    def _score(self, data: HistogramBlock) -> FloatArray:
        counts = data.flat.astype(np.float64)
        return np.concatenate([self._evidence(part)[0] for part in np.array_split(counts, 1 + len(counts) // 4096)])

    def _step(self, counts: FloatArray, confirmed: bool | None, weight: float) -> float:
        """Score one histogram, then learn from it."""
        score, z, likelihood = (part[0] for part in self._evidence(counts[None, :]))
        away = float(z.min())
        trusted = away < CLIP if confirmed is None else bool(confirmed)
        if trusted and weight > 0:
            far = bool(confirmed) and away > self.surprise and weight >= 0.5
            # One far away is a new regime or a wrong label; three in a row say that good ones scatter more than known.
            self.surprised_ = self.surprised_ + 1 if far else 0
            if far and self.surprised_ < 3:
                self._consider(counts)
            else:
                believed = 1.0 if far else min(1.0, CLIP / max(away, CLIP))
                self._learn(counts, z, likelihood, weight * believed)
        return float(score)

    def _evidence(self, counts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Scores (n,); calibrated chi-square deviation and log likelihood per reference, (n, references)."""
        parts = [self._against(place, counts) for place in range(len(self.reference_))]
        z = np.column_stack([part[0] for part in parts])
        likelihood = np.column_stack([part[1] for part in parts])
        evidence = np.column_stack([part[2] for part in parts]) - self.log_weight_[None, :]
        return evidence.min(axis=1), z, likelihood

    def _against(self, place: int, counts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Calibrated deviation, log likelihood and evidence (each (n,)) of histograms against one reference."""
        total = counts.sum(axis=1, keepdims=True)
        reference, modes, extra = self.reference_[place], self.modes_[place], self.extra_[place]
        root = np.sqrt(reference[None, :] + 0.5 / total)
        residual = (counts / total - reference[None, :]) / root
        shrink = np.sqrt(reference)[None, :] / root
        variance = 1 / total + shrink**2 * (self.variance_[place] + extra[None, :])
        along = modes[None, :, :] * shrink[:, :, None]
        inner = np.eye(modes.shape[1])[None] + np.einsum("nbi,nb,nbj->nij", along, 1 / variance, along)
        pulled = np.einsum("nbi,nb->ni", along, residual / variance)
        amplitude = np.linalg.solve(inner, pulled[:, :, None])[:, :, 0]
        chi2 = (residual**2 / variance).sum(axis=1) - (pulled * amplitude).sum(axis=1)
        spread = np.log(variance).sum(axis=1) + np.linalg.slogdet(inner)[1]
        freedom = np.maximum((shrink**2).sum(axis=1), 1.0)
        z = (_normalised(chi2, freedom) - self.usual_[0]) / self.usual_[1]
        expected = total * np.maximum(reference[None, :] + root * np.einsum("nbi,ni->nb", along, amplitude), 0.0)
        relative = ((extra + self.variance_[place]) / np.maximum(reference, 1e-9))[None, :]
        evidence = -special.log_ndtr(-z) + _dead_bins(counts, expected, relative)
        return z, -0.5 * (chi2 + spread), evidence

    def _consider(self, counts: FloatArray) -> None:
        """A confirmed histogram that fits no reference: remember it as one of its own."""
        total = counts.sum()
        keep = np.argsort(-self.log_weight_)[: BANK - 1] if self.doubt > 0 else np.zeros(0, dtype=np.int64)
        self.reference_ = np.vstack([self.reference_[keep], (counts + 0.5) / (total + 0.5 * len(counts))])
        self.mass_ = np.append(self.mass_[keep], self._worth(total))
        self.variance_ = np.append(self.variance_[keep], 1 / total)
        log_weight = np.append(self.log_weight_[keep], 0.0)
        self.log_weight_ = _shares(log_weight)
        self._refresh()

    def _learn(self, counts: FloatArray, z: FloatArray, likelihood: FloatArray, weight: float) -> None:
        """Move the best reference towards a good histogram, and learn how good histograms move around it."""
        posterior = _shares(self.log_weight_ + likelihood)
        best = int(posterior.argmax())
        total = float(counts.sum())
        away = counts / total - self.reference_[best]
        self._learn_systematics(away, best, total, weight)
        worth = weight * self._worth(total)
        self.mass_[best] = self.memory * self.mass_[best] + worth
        gain = worth / self.mass_[best]
        self.reference_[best] += gain * away
        self.variance_[best] = (1 - gain) ** 2 * self.variance_[best] + gain**2 / total
        self._calibrate(float(z[best]), weight)
        kept = posterior > LOST
        self.log_weight_ = posterior
        if not kept.all():
            for name in ("reference_", "mass_", "variance_", "log_weight_"):
                setattr(self, name, getattr(self, name)[kept])
        self.updates_ += 1
        if self.updates_ % REFRESH == 0 or not kept.all():
            self._refresh()

    def _worth(self, total: float) -> float:
        """What a histogram of so many entries counts in the mean: less than its entries, as it has systematics too."""
        return float(1 / (1 / total + self.common_))

    def _learn_systematics(self, away: FloatArray, place: int, total: float, weight: float) -> None:
        reference, kept = self.reference_[place], self.systematics_memory
        self.moved_ *= kept
        self.moved_ += (weight * away)[:, None] * away
        self.scale_ *= kept
        self.scale_ += (weight * reference)[:, None] * reference
        self.poisson_ = kept * self.poisson_ + weight * reference * (1 / total + self.variance_[place])
        self.seen_ = np.array([kept * self.seen_[0] + weight, kept**2 * self.seen_[1] + weight**2])

    def _calibrate(self, z: float, weight: float) -> None:
        """Mean and deviation of the raw chi-square of good histograms; outliers pull no further than CLIP."""
        mean, deviation, seen = self.usual_
        rate = weight * max(1 - self.systematics_memory, 1 / (seen + 20))
        pull = float(np.clip(z, -CLIP, CLIP)) * deviation
        variance = (1 - rate) * deviation**2 + rate * (1 - rate) * pull**2
        self.usual_ = np.array([mean + rate * pull, np.sqrt(variance), seen + weight])

    def _refresh(self) -> None:
        """Modes (bins, m) and extra variance (bins,) around each reference from the relative covariance."""
        rows = self.seen_[0] ** 2 / self.seen_[1]
        relative = self._relative(rows)
        noise = float(self.poisson_.sum() / self.seen_[0])
        bins = len(self.poisson_)
        edge = noise * ((1 + np.sqrt(bins / rows)) ** 2 - 1)
        modes, extra = [], []
        for reference in self.reference_:
            root = np.sqrt(np.maximum(reference, 0.0))
            # Relative changes are known up to a common factor, which the sum of this reference fixes.
            kept = np.eye(bins) - reference[None, :]
            around = kept @ relative @ kept.T
            values, vectors = np.linalg.eigh(around * root[:, None] * root[None, :])
            size = np.where(values[::-1][: self.modes] > edge, values[::-1][: self.modes], 0.0)
            mode = vectors[:, ::-1][:, : self.modes] * np.sqrt(size)[None, :]
            left = np.diag(around) * reference - (mode**2).sum(axis=1)
            modes.append(mode)
            extra.append(np.maximum(left - noise * np.sqrt(2 / rows), 0.0))
        self.modes_, self.extra_ = np.array(modes), np.array(extra)
        self.common_ = float((self.modes_**2).sum(axis=(1, 2)).mean() + self.extra_.sum(axis=1).mean()) / bins

    def _relative(self, rows: float) -> FloatArray:
        """Relative covariance (bins, bins) of good histograms without their Poisson part. A bin that never had enough
        entries to tell is taken to be like the nearest one that had."""
        power = np.diag(self.scale_)
        floor = 1e-6 * float(power.mean())
        relative = (self.moved_ - np.diag(self.poisson_)) / (self.scale_ + floor)
        known = self.poisson_ * np.sqrt(2 / rows) < UNKNOWN * (power + floor)
        if not known.any():
            return np.zeros_like(relative)
        place = np.arange(len(power))
        middle = (place[known][1:] + place[known][:-1]) / 2
        like = place[known][np.searchsorted(middle, place)]
        return np.asarray(relative[np.ix_(like, like)])


def _shares(log_weight: FloatArray) -> FloatArray:
    """Logarithms of weights that add up to 1."""
    above = log_weight - log_weight.max()
    return np.asarray(above - np.log(np.exp(above).sum()))


def _normalised(chi2: FloatArray, freedom: FloatArray) -> FloatArray:
    """Chi-square as a standard normal number (Wilson and Hilferty)."""
    small = 2 / (9 * freedom)
    return np.asarray((np.cbrt(np.maximum(chi2, 0.0) / freedom) - (1 - small)) / np.sqrt(small))


def _dead_bins(counts: FloatArray, expected: FloatArray, relative: FloatArray) -> FloatArray:
    """(n,) log likelihood ratio of bins being dead, among those with no entry: negative binomial around what is
    expected, of the relative variance given."""
    small = np.maximum(relative, 1e-9)
    surprise = np.log1p(expected * small) / small
    ratio = np.logaddexp(np.log(DEAD) + surprise, np.log1p(-DEAD))
    return np.asarray(np.where(counts == 0, np.maximum(ratio, 0.0), 0.0).sum(axis=1))
