"""One autoencoder over several monitoring elements: what happens to one of them must agree with what happens to others.

This file imports torch.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import IncompatibleBinning, MlcoreError
from mlcore.features import FeatureTable

from .autoencoder import Net
from .base import Detector
from .errors_by_object import ErrorScale
from .smooth_conditioning import SmoothConditioner

#: neighbouring columns that are added up: a fault moves many bins a little, or one a lot
SCALES = (1, 5, 20, 40)
#: fewest lumisections of a run whose median says what is usual in it
_FEWEST_OF_RUN = 8
#: errors of so many good lumisections lie below the limit that is drawn
_LIMIT = 0.999


class ElementsAutoencoder(Detector):
    """Learn good lumisections of several elements together; score by what is not rebuilt.

    Takes a table whose groups are elements (`mlcore.features.bin_features`). Columns are freed of pile-up along a
    smooth curve and come in units of noise. Two looks are taken: at what the autoencoder leaves over, and at how far
    columns are from the median of their run; bin by bin, and added up over neighbouring bins. The score is the root of
    the sum of squares of what is larger than usual in mean and largest square of each element, look and width.

    Parameters
    ----------
    hidden : widths from the input to the code, the way back mirrors them: the code sizes that `mlcore.tuning` finds.
    epochs, batch_size, learning_rate : of Adam on the mean squared error, cosine course.
    in_run : whether the second look is taken.
    random_state : seed of weights and order.

    Attributes after `fit`: `groups_` the elements, `loss_` (epochs,), `limits_` (elements,) mean squared error below
    which 99.9% of the good lumisections lie.
    Source: S. Al Khudari, Machine learning models for data quality monitoring, CMS, August 2024, and DP-2023/032: one
    autoencoder per element on shares of bins, its mean squared error as the score (`mlcore.bench.peers.met`).
    """

    consumes: ClassVar[Literal["table"]] = "table"
    fewest = 50

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (16, 2),
        epochs: int = 60,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        in_run: bool = True,
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.in_run = in_run
        self.random_state = random_state

    def errors(self, table: FeatureTable) -> FloatArray:
        """(n, elements) mean squared error of each element, in the order of `groups_`: what is plotted against the
        lumisection. About 1 is noise. NaN for lumisections of which nothing is known."""
        check_is_fitted(self, "layout_")
        self._check_kind(table)
        if table.names != self.layout_:
            raise IncompatibleBinning("ElementsAutoencoder: these are other elements or bins than it was fitted on.")
        found = np.full((len(table), len(self.groups_)), np.nan)
        usable = self._usable(table)
        if usable.any():
            rest = self.left_over(table.select(usable))
            found[usable] = np.column_stack([(rest[:, places] ** 2).mean(axis=1) for places in self.places_])
        return found

    def left_over(self, table: FeatureTable) -> FloatArray:
        """(n, f) what is not rebuilt of each column, in units of noise."""
        x = self.conditioner_.transform(table)
        given = self._given(table.conditions)
        with torch.no_grad():
            made = self.net_(torch.from_numpy(x.astype(np.float32)), given).numpy()
        return np.asarray(x - made)

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        if not self.hidden or min(self.hidden) < 1 or self.epochs < 1:
            raise MlcoreError("ElementsAutoencoder: widths and epochs are numbers from 1.")
        self.conditioner_ = SmoothConditioner().fit(data)
        self.groups_ = tuple(dict.fromkeys(data.groups))
        self.places_ = [np.flatnonzero(np.array(data.groups) == name) for name in self.groups_]
        x = torch.from_numpy(self.conditioner_.transform(data).astype(np.float32))
        trust = (
            torch.ones(len(x)) if weights is None else torch.from_numpy((weights / weights.mean()).astype(np.float32))
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.net_ = self._made(x.shape[1])
            self.loss_ = self._train(x, self._given(data.conditions), trust)
        errors = self.errors(data)
        self.limits_ = np.quantile(errors, _LIMIT, axis=0)
        sizes = self._sizes(data)
        self.units_ = [np.maximum(np.sqrt((part**2).mean(axis=0)), 1e-9) for part in sizes]
        self.scale_ = ErrorScale().fit(self._summaries(sizes), self.conditioner_.terms(data.conditions))

    def _train(self, x: torch.Tensor, given: torch.Tensor, trust: torch.Tensor) -> FloatArray:
        optimiser = torch.optim.Adam(self.net_.parameters(), lr=self.learning_rate, fused=True)
        course = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.epochs * -(-len(x) // self.batch_size))
        losses = np.zeros(self.epochs)
        for epoch in range(self.epochs):
            for rows in torch.split(torch.randperm(len(x)), self.batch_size):
                optimiser.zero_grad()
                error = (self.net_(x[rows], given[rows]) - x[rows]).square().mean(dim=1)
                loss = (error * trust[rows]).mean()
                torch.autograd.backward(loss)
                optimiser.step()
                course.step()
                losses[epoch] += float(loss.detach()) * len(rows) / len(x)
        return losses

    def _score(self, data: FeatureTable) -> FloatArray:
        pulls = self.scale_.pulls(self._summaries(self._sizes(data)), self.conditioner_.terms(data.conditions))
        return np.asarray(np.sqrt((np.logaddexp(0.0, pulls) ** 2).sum(axis=1)))

    def _sizes(self, data: FeatureTable) -> list[FloatArray]:
        """Of each look, element and width: (n, many) sums over neighbouring columns."""
        looks = [self.left_over(data)]
        if self.in_run:
            looks.append(beside_run(self.conditioner_.transform(data), data.conditions))
        return [summed(look[:, places], width) for look in looks for places in self.places_ for width in SCALES]

    def _summaries(self, sizes: list[FloatArray]) -> FloatArray:
        """(n, 2 x parts) mean and largest square of each part of `_sizes`, in units of good ones."""
        squares = [(part / unit) ** 2 for part, unit in zip(sizes, self.units_, strict=True)]
        return np.column_stack([summary for part in squares for summary in (part.mean(axis=1), part.max(axis=1))])

    def _given(self, conditions: Conditions) -> torch.Tensor:
        return torch.from_numpy(self.conditioner_.terms(conditions)[:, 1:].astype(np.float32))

    def _made(self, features: int) -> Net:
        self.features_ = features
        return Net(features, 2, self.hidden)

    def to_state(self) -> dict[str, Any]:
        """What was learned, for `mlcore.artifacts`; the weights are tensors by name."""
        state = {name: value for name, value in vars(self).items() if name.endswith("_") and name != "net_"}
        return {**state, "tensors": dict(self.net_.state_dict())}

    def from_state(self, state: dict[str, Any]) -> Self:
        for name, value in state.items():
            if name != "tensors":
                setattr(self, name, value)
        self.net_ = self._made(state["features_"])
        self.net_.load_state_dict(state["tensors"])
        return self


def beside_run(values: FloatArray, conditions: Conditions) -> FloatArray:
    """(n, f) minus the median of the run, in runs of which enough lumisections are there; others stay as they are."""
    found = values.copy()
    _, place, count = np.unique(conditions.run, return_inverse=True, return_counts=True)
    for number in np.flatnonzero(count >= _FEWEST_OF_RUN):
        rows = place == number
        found[rows] -= np.median(values[rows], axis=0)
    return found


def summed(values: FloatArray, width: int) -> FloatArray:
    """(n, columns // width) sums over so many neighbouring columns over the root of their number. The last incomplete
    one is left out; where there are fewer columns, one sum over all."""
    width = min(width, values.shape[1])
    many = values.shape[1] // width
    kept = values[:, : many * width].reshape(len(values), many, width)
    return np.asarray(kept.sum(axis=2) / np.sqrt(width))
