"""A dense autoencoder whose reconstruction error is reported by physics object, as in Pol et al. (EPJ Conf. 214 06008).

This file imports torch; nothing else of the tabular detectors does.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from mlcore.conditions import FloatArray
from mlcore.errors import MlcoreError
from mlcore.features import FeatureTable

from .base import Detector
from .conditioning import Conditioner
from .errors_by_object import ErrorScale
from .pca import membership

#: epochs over which the error of what is watched must fall
_PATIENCE = 5


class AutoencoderDetector(Detector):
    """Learn to write good lumisections down in a few numbers; score by what is lost.

    Parameters
    ----------
    hidden : widths of the layers from the input to the code; the way back mirrors them.
    epochs, batch_size, learning_rate : of Adam on the mean squared error, cosine decay of the rate when `decay`.
    conditioned : features are first freed of what luminosity and pile-up make of them, and both are given to encoder
        and decoder. False is the published method.
    by_object : the error of each physics object is standardised by what is usual under the conditions, so that a fault
        in a small object counts as much as one in a large; False takes the mean squared error, as published.
    validation : share of the lumisections, the last in time, that are not learned from but watched: training ends when
        their error has fallen by less than `converged` of itself over five epochs, and after `epochs` at the latest.
        0 trains for all epochs.
    random_state : seed of weights and order.

    Attributes after `fit`: `groups_` names of the physics objects, `loss_` (epochs,) mean squared error in training,
    `watched_` (epochs,) that of what was watched, empty without.
    Source: EPJ Conf. 214 (2019) 06008; conditioning answers the problem stated there, errors that follow luminosity.
    """

    consumes: ClassVar[Literal["table"]] = "table"
    fewest = 50

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (64, 16),
        epochs: int = 12,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        decay: bool = True,
        conditioned: bool = True,
        by_object: bool = True,
        validation: float = 0.0,
        converged: float = 0.01,
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.decay = decay
        self.conditioned = conditioned
        self.by_object = by_object
        self.validation = validation
        self.converged = converged
        self.random_state = random_state

    def group_errors(self, table: FeatureTable) -> FloatArray:
        """(n, groups) mean squared error of the features of each physics object, in the order of `groups_`."""
        x, given = self._inputs(table)
        self.net_.eval()
        with torch.no_grad():
            parts = [
                self._errors(x[start : start + 2048], given[start : start + 2048]) for start in range(0, len(x), 2048)
            ]
        return np.asarray(np.concatenate(parts), dtype=np.float64)

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        first = self._learned_from(data)
        watched = data.select(~first)
        data, weights = data.select(first), None if weights is None else weights[first]
        self.conditioner_ = Conditioner(conditioned=self.conditioned, by_events=False).fit(data)
        self.groups_ = tuple(dict.fromkeys(data.groups))
        self.membership_ = membership(data.groups)
        x, given = self._inputs(data)
        trust = torch.ones(len(x)) if weights is None else torch.from_numpy(np.asarray(weights, dtype=np.float32))
        generator = torch.Generator().manual_seed(self.random_state)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.net_ = self._made(x.shape[1], given.shape[1])
        self.loss_, self.watched_ = self._train(x, given, trust / trust.mean(), generator, self._inputs(watched))
        self.scale_ = ErrorScale().fit(self.group_errors(data), self.conditioner_.terms(data.conditions))

    def _made(self, features: int, conditions: int) -> Net:
        self.shape_ = (features, conditions)
        return Net(features, conditions, self.hidden)

    def to_state(self) -> dict[str, Any]:
        """What was learned, for `mlcore.artifacts`; the weights are tensors by name."""
        state = {name: value for name, value in vars(self).items() if name.endswith("_") and name != "net_"}
        return {**state, "tensors": dict(self.net_.state_dict())}

    def from_state(self, state: dict[str, Any]) -> Self:
        for name, value in state.items():
            if name != "tensors":
                setattr(self, name, value)
        self.net_ = self._made(*state["shape_"])
        self.net_.load_state_dict(state["tensors"])
        return self

    def _learned_from(self, data: FeatureTable) -> npt.NDArray[np.bool_]:
        """(n,) without the last `validation` of the lumisections in time."""
        if not 0 <= self.validation < 1:
            raise MlcoreError(f"validation is {self.validation}; it is a share of the lumisections, from 0 to below 1.")
        order = np.argsort(data.conditions.key, kind="stable")
        first = np.zeros(len(order), dtype=bool)
        first[order[: len(order) - int(self.validation * len(order))]] = True
        return first

    def _train(
        self,
        x: torch.Tensor,
        given: torch.Tensor,
        trust: torch.Tensor,
        generator: torch.Generator,
        watched: tuple[torch.Tensor, torch.Tensor],
    ) -> tuple[FloatArray, FloatArray]:
        """Mean squared errors of each epoch: of what is learned from, and of what is watched."""
        optimiser = torch.optim.Adam(self.net_.parameters(), lr=self.learning_rate, fused=True)
        steps = self.epochs * -(-len(x) // self.batch_size)
        course = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1)) if self.decay else None
        losses, seen = [], []
        for _ in range(self.epochs):
            self.net_.train()
            losses.append(0.0)
            for rows in torch.split(torch.randperm(len(x), generator=generator), self.batch_size):
                optimiser.zero_grad()
                error = ((self.net_(x[rows], given[rows]) - x[rows]) ** 2).mean(dim=1)
                loss = (error * trust[rows]).mean()
                loss.backward()
                optimiser.step()
                if course is not None:
                    course.step()
                losses[-1] += float(loss.detach()) * len(rows) / len(x)
            if len(watched[0]):
                seen.append(self._error_of(*watched))
                if len(seen) > _PATIENCE and min(seen) > (1.0 - self.converged) * min(seen[:-_PATIENCE]):
                    break
        return np.array(losses), np.array(seen)

    def _error_of(self, x: torch.Tensor, given: torch.Tensor) -> float:
        self.net_.eval()
        with torch.no_grad():
            return float(((self.net_(x, given) - x) ** 2).mean())

    def _score(self, data: FeatureTable) -> FloatArray:
        errors = self.group_errors(data)
        if not self.by_object:
            sizes = np.array([data.groups.count(name) for name in self.groups_])
            return np.asarray(errors @ sizes / sizes.sum())
        return self.scale_.scores(errors, self.conditioner_.terms(data.conditions))

    def _inputs(self, table: FeatureTable) -> tuple[torch.Tensor, torch.Tensor]:
        given = self.conditioner_.terms(table.conditions)[:, 1:].astype(np.float32)
        return torch.from_numpy(self.conditioner_.transform(table)), torch.from_numpy(np.ascontiguousarray(given))

    def _errors(self, x: torch.Tensor, given: torch.Tensor) -> npt.NDArray[np.float32]:
        return np.asarray(((self.net_(x, given) - x) ** 2).numpy() @ self.membership_)


class Net(nn.Module):
    """Dense layers with PReLU down to the code and back; the conditions enter at both ends."""

    def __init__(self, features: int, conditions: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.encoder = _layers((features + conditions, *hidden), last_bends=True)
        self.decoder = _layers((hidden[-1] + conditions, *hidden[-2::-1], features), last_bends=False)

    def forward(self, x: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
        code = self.encoder(torch.cat([x, given], dim=1))
        made: torch.Tensor = self.decoder(torch.cat([code, given], dim=1))
        return made


def _layers(widths: tuple[int, ...], *, last_bends: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(pairwise(widths)):
        layers.append(nn.Linear(before, after))
        if last_bends or place < len(widths) - 2:
            layers.append(nn.PReLU())
    return nn.Sequential(*layers)
