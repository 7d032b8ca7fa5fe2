"""Scores that say nothing about luminosity: a net trained against an adversary, and the scale of good lumisections.

Source: arXiv:1611.01046 (learning to pivot with adversarial networks). What is left is told by `distance_correlation`.
"""

# ruff: noqa: N803  # X is what scikit-learn calls it
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.base import BaseEstimator
from torch import nn

from .conditions import FloatArray
from .dependence import distance_correlation
from .detectors.base import check_weights
from .errors import BadLabels, MlcoreError, ShapeError, TooFewData

__all__ = ["AdversarialClassifier", "FlatScore", "distance_correlation"]

_BINS = 8


class AdversarialClassifier(BaseEstimator):  # type: ignore[misc,no-any-unimported]  # scikit-learn has no types
    """Good against bad by a small net, while an adversary tries to tell the luminosity of good rows from its answer.

    The adversary predicts in which of eight bins of luminosity a good row lies, from the score and its powers; the net
    is rewarded for what the adversary does not know. What remains is taken off as in `FlatScore`.

    Parameters
    ----------
    strength : of the adversary; 0 is a plain net.
    hidden : widths of the net; epochs, batch_size, learning_rate : of Adam; random_state : of everything.

    `fit(X, y, against, weights)`: X (n, f) finite, y (n,) 0 and 1, against (n,) the luminosity, weights (n,) how far
    each label is believed, all alike when None. `decision_function` is higher for bad.
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

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, against: npt.ArrayLike, weights: npt.ArrayLike | None = None
    ) -> Self:
        """Raises ShapeError, BadLabels, TooFewData and MlcoreError for what is not finite."""
        inputs, labels, nuisance = _checked(X, y, against)
        given = check_weights(weights, len(labels))
        # Their mean is 1, so that they change what counts and not how fast is learned.
        trust = np.ones(len(labels)) if given is None else given / given.mean()
        self.middle_, self.width_ = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), 1e-9)
        edges = np.quantile(nuisance[labels == 0], np.linspace(0, 1, _BINS + 1)[1:-1])
        told = _Told(
            torch.from_numpy(((inputs - self.middle_) / self.width_).astype(np.float32)),
            torch.from_numpy(labels.astype(np.float32)),
            torch.from_numpy(np.searchsorted(edges, nuisance)),
            torch.from_numpy(trust.astype(np.float32)),
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.net_ = _net(inputs.shape[1], self.hidden)
            self._train(told)
        return self

    def _train(self, told: _Told) -> None:
        x, truth, trust = told.x, told.truth, told.trust
        adversary = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, _BINS))
        mine = torch.optim.Adam(self.net_.parameters(), lr=self.learning_rate)
        theirs = torch.optim.Adam(adversary.parameters(), lr=3 * self.learning_rate)
        weight = float(trust[truth == 0].sum() / max(float(trust[truth == 1].sum()), 1.0))
        right = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight), reduction="none")
        guess = nn.CrossEntropyLoss(reduction="none")
        for epoch in range(self.epochs):
            strength = self.strength * min(1.0, 2.0 * epoch / max(self.epochs, 1))
            for rows in torch.split(torch.randperm(len(x)), self.batch_size):
                good = rows[truth[rows] == 0]
                if len(good) < 2:
                    continue
                bin_, believed = told.bins[good], trust[good]
                if strength > 0:
                    seen = _flat(self.net_(x[good]).detach())
                    for _ in range(2):
                        theirs.zero_grad()
                        torch.autograd.backward((believed * guess(adversary(seen), bin_)).mean())
                        theirs.step()
                mine.zero_grad()
                loss = (trust[rows] * right(self.net_(x[rows])[:, 0], truth[rows])).mean()
                if strength > 0:
                    loss = loss - strength * (believed * guess(adversary(_flat(self.net_(x[good]))), bin_)).mean()
                torch.autograd.backward(loss)
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

    def to_state(self) -> dict[str, Any]:
        """What was learned, for `mlcore.artifacts`; the weights of the net are tensors by name."""
        return {"middle_": self.middle_, "width_": self.width_, "tensors": dict(self.net_.state_dict())}

    def from_state(self, state: dict[str, Any]) -> Self:
        self.middle_, self.width_ = state["middle_"], state["width_"]
        self.net_ = _net(len(self.middle_), self.hidden)
        self.net_.load_state_dict(state["tensors"])
        self.net_.eval()
        return self


@dataclass(frozen=True, eq=False)
class _Told:
    """What is learned from: columns, labels, bins of luminosity, and how far each label is believed."""

    x: torch.Tensor
    truth: torch.Tensor
    bins: torch.Tensor
    trust: torch.Tensor


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
        rows = np.flatnonzero(np.isfinite(score) & np.isfinite(nuisance))
        levels = [np.interp(nuisance[rows], self.places_, level) for level in self.curves_.T]
        curves = np.maximum.accumulate(np.column_stack(levels), axis=1)
        for row, curve in zip(rows, curves, strict=True):
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
