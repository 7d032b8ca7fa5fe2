"""Scores that say nothing about luminosity: distance correlation, and a net trained against an adversary.

Source: arXiv:1611.01046 (learning to pivot with adversarial networks); distance correlation, Ann. Stat. 35 (2007) 2769.
"""

# ruff: noqa: N803  # X is what scikit-learn calls it
from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from torch import nn

from .conditions import FloatArray
from .errors import BadLabels, MlcoreError, ShapeError, TooFewData

#: more rows than this say the same, at quadratic cost
_MOST = 2_000
_BINS = 8


def distance_correlation(x: npt.ArrayLike, y: npt.ArrayLike, *, random_state: int = 0) -> float:
    """How far two columns of n numbers depend on each other, in whatever way: 0 for independent, 1 for a line.

    The unbiased estimate (U-centred), whose root is taken with its sign, so that independent columns scatter around 0.
    Rows where one is NaN are left out; of more than 2,000, so many are drawn. Raises ShapeError, TooFewData.
    """
    one, two = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if one.ndim != 1 or one.shape != two.shape:
        raise ShapeError(f"two columns of the same length are compared, not {one.shape} and {two.shape}.")
    known = np.isfinite(one) & np.isfinite(two)
    one, two = one[known], two[known]
    if len(one) < 10:
        raise TooFewData(f"{len(one)} rows are too few for a distance correlation.")
    if len(one) > _MOST:
        rows = np.random.default_rng(random_state).permutation(len(one))[:_MOST]
        one, two = one[rows], two[rows]
    first, second = _centred(one), _centred(two)
    both = float((first * second).sum())
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    ratio = both / size if size > 0 else 0.0
    return float(np.sign(ratio) * np.sqrt(abs(ratio)))


def _centred(x: FloatArray) -> FloatArray:
    n = len(x)
    distance = np.abs(x[:, None] - x[None, :])
    rows = distance.sum(axis=1) / (n - 2)
    centred = distance - rows[:, None] - rows[None, :] + distance.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return np.asarray(centred)


class AdversarialClassifier(BaseEstimator):  # type: ignore[misc,no-any-unimported]  # scikit-learn has no types
    """Good against bad by a small net, while an adversary tries to tell the luminosity of good rows from its answer.

    The adversary predicts in which of eight bins of luminosity a good row lies, from the score and its powers; the net
    is rewarded for what the adversary does not know. What remains is taken off as in `FlatScore`.

    Parameters
    ----------
    strength : of the adversary; 0 is a plain net.
    hidden : widths of the net; epochs, batch_size, learning_rate : of Adam; random_state : of everything.

    `fit(X, y, against)`: X (n, f) finite, y (n,) 0 and 1, against (n,) the luminosity. `decision_function` is higher
    for bad.
    """

    def __init__(
        self,
        *,
        strength: float = 3.0,
        hidden: tuple[int, ...] = (64, 64),
        epochs: int = 30,
        batch_size: int = 256,
        learning_rate: float = 2e-3,
        random_state: int = 0,
    ) -> None:
        self.strength = strength
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, against: npt.ArrayLike) -> Self:
        """Raises ShapeError, BadLabels, TooFewData and MlcoreError for what is not finite."""
        inputs, labels, nuisance = _checked(X, y, against)
        self.middle_, self.width_ = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-9)
        edges = np.quantile(nuisance[labels == 0], np.linspace(0, 1, _BINS + 1)[1:-1])
        target = torch.from_numpy(np.searchsorted(edges, nuisance))
        x = torch.from_numpy(((inputs - self.middle_) / self.width_).astype(np.float32))
        truth = torch.from_numpy(labels.astype(np.float32))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.net_ = _net(inputs.shape[1], self.hidden)
            self._train(x, truth, target)
        return self

    def _train(self, x: torch.Tensor, truth: torch.Tensor, target: torch.Tensor) -> None:
        adversary = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, _BINS))
        mine = torch.optim.Adam(self.net_.parameters(), lr=self.learning_rate)
        theirs = torch.optim.Adam(adversary.parameters(), lr=3 * self.learning_rate)
        weight = float((truth == 0).sum() / max(float((truth == 1).sum()), 1.0))
        right = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight))
        guess = nn.CrossEntropyLoss()
        for epoch in range(self.epochs):
            strength = self.strength * min(1.0, 2.0 * epoch / max(self.epochs, 1))
            for rows in torch.split(torch.randperm(len(x)), self.batch_size):
                good = rows[truth[rows] == 0]
                if len(good) < 2:
                    continue
                if strength > 0:
                    for _ in range(2):
                        theirs.zero_grad()
                        guess(adversary(_flat(self.net_(x[good]).detach())), target[good]).backward()
                        theirs.step()
                mine.zero_grad()
                loss = right(self.net_(x[rows])[:, 0], truth[rows])
                if strength > 0:
                    loss = loss - strength * guess(adversary(_flat(self.net_(x[good]))), target[good])
                loss.backward()
                mine.step()
        self.net_.eval()

    def decision_function(self, X: npt.ArrayLike) -> FloatArray:
        """(n,) log-odds, higher = worse; NaN for a row that is not finite."""
        inputs = np.asarray(X, dtype=np.float64)
        if inputs.ndim != 2 or inputs.shape[1] != len(self.middle_):
            raise ShapeError(f"X has shape {inputs.shape}; it was fitted with {len(self.middle_)} columns.")
        found = np.full(len(inputs), np.nan)
        rows = np.isfinite(inputs).all(axis=1)
        with torch.no_grad():
            scaled = ((inputs[rows] - self.middle_) / self.width_).astype(np.float32)
            found[rows] = self.net_(torch.from_numpy(scaled))[:, 0].double().numpy()
        return found


def _net(columns: int, hidden: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((columns, *hidden), hidden, strict=False):
        layers += [nn.Linear(before, after), nn.SiLU()]
    return nn.Sequential(*layers, nn.Linear((columns, *hidden)[-1], 1))


def _flat(score: torch.Tensor) -> torch.Tensor:
    """The score on a bounded scale: an adversary cannot be escaped by making it large."""
    return (score - score.mean()) / (score.std() + 1e-3)


class FlatScore:
    """A score relative to what good rows of the same luminosity get: in units of their spread, from their median.

    `fit(scores, against)` on good rows that no model behind the score has learned from; `transform(scores, against)`.
    """

    def __init__(self, *, bins: int = 15) -> None:
        self.bins = bins

    def fit(self, scores: npt.ArrayLike, against: npt.ArrayLike) -> Self:
        """Raises TooFewData with fewer than twenty known rows."""
        score, nuisance = np.asarray(scores, dtype=np.float64), np.asarray(against, dtype=np.float64)
        known = np.isfinite(score) & np.isfinite(nuisance)
        if known.sum() < 20:
            raise TooFewData(f"{int(known.sum())} good rows are too few to know what is usual at a luminosity.")
        order = np.argsort(nuisance[known], kind="stable")
        parts = np.array_split(order, max(1, min(self.bins, int(known.sum()) // 20)))
        levels = np.linspace(0.02, 0.98, 25)
        self.places_ = np.array([float(nuisance[known][part].mean()) for part in parts])
        self.curves_ = np.array([np.quantile(score[known][part], levels) for part in parts])
        self.usual_ = self.curves_.mean(axis=0)
        return self

    def transform(self, scores: npt.ArrayLike, against: npt.ArrayLike) -> FloatArray:
        """(n,) scores on the common scale; beyond what was seen by its shift at the end. NaN where either is NaN."""
        score, nuisance = np.asarray(scores, dtype=np.float64), np.asarray(against, dtype=np.float64)
        found = np.full(score.shape, np.nan)
        for row in np.flatnonzero(np.isfinite(score) & np.isfinite(nuisance)):
            curve = np.array([np.interp(nuisance[row], self.places_, level) for level in self.curves_.T])
            curve = np.maximum.accumulate(curve)
            inside = np.interp(score[row], curve, self.usual_)
            found[row] = inside + min(score[row] - curve[0], 0.0) + max(score[row] - curve[-1], 0.0)
        return found


def _checked(X: Any, y: Any, against: Any) -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray]:
    inputs, labels, nuisance = np.asarray(X, dtype=np.float64), np.asarray(y), np.asarray(against, dtype=np.float64)
    if inputs.ndim != 2 or labels.shape != (len(inputs),) or nuisance.shape != labels.shape:
        raise ShapeError(f"X {inputs.shape}, y {labels.shape} and against {nuisance.shape} do not belong together.")
    if not np.isfinite(inputs).all() or not np.isfinite(nuisance).all():
        raise MlcoreError("X and against must be finite; leave out or fill what is not known first.")
    if not np.isin(labels, (0, 1)).all() or np.unique(labels).size < 2:
        raise BadLabels("labels are 0 (good) and 1 (bad), and both are needed.")
    if len(inputs) < 50:
        raise TooFewData(f"{len(inputs)} rows are too few for an adversary.")
    return inputs, labels.astype(np.int64), nuisance
