"""Small nets that predict a mean and a variance; many of them, or one that forgets at random, know what they do not."""

# ruff: noqa: N803  # X is what scikit-learn calls it
from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from mlcore.conditions import FloatArray

from .intervals import IntervalRegressor

_LEAST_VARIANCE = 1e-4  # of y in units of its own variance


class MCDropoutRegressor(IntervalRegressor):
    """One net, dropout kept on while it predicts: the passes differ where little was learned.

    The variance is the mean of the predicted variances plus the variance of the predicted means.

    Parameters
    ----------
    hidden : widths; rate : of dropout; passes : how many forward passes a prediction takes; epochs, batch_size,
    learning_rate : of Adam on the Gaussian negative log likelihood; random_state : seed of weights, order and passes.

    Source: arXiv:1506.02142.
    """

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (64, 64),
        rate: float = 0.1,
        passes: int = 40,
        epochs: int = 60,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.rate = rate
        self.passes = passes
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        self.scales_ = _Scales(X, y)
        self.net_ = _trained(self, self.scales_, X, y, seed=self.random_state, rate=self.rate)

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        inputs = self.scales_.inputs(X)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(self.random_state)
            self.net_.train()  # dropout stays on
            passes = [self.net_(inputs) for _ in range(self.passes)]
        return self.scales_.together(passes)


class EnsembleRegressor(IntervalRegressor):
    """A few nets that differ in nothing but their beginning and the order of what they see.

    Parameters as `MCDropoutRegressor`, with `members` in place of dropout. Source: arXiv:1612.01474.
    """

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (64, 64),
        members: int = 5,
        epochs: int = 40,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        random_state: int = 0,
    ) -> None:
        self.hidden = hidden
        self.members = members
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        self.scales_ = _Scales(X, y)
        seeds = np.random.SeedSequence(self.random_state).generate_state(self.members)
        self.nets_ = [_trained(self, self.scales_, X, y, seed=int(seed), rate=0.0) for seed in seeds]

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        inputs = self.scales_.inputs(X)
        with torch.no_grad():
            return self.scales_.together([net(inputs) for net in self.nets_])


class _Scales:
    """What makes X and y of unit size, and back."""

    def __init__(self, X: FloatArray, y: FloatArray) -> None:
        self.middle, self.size = X.mean(axis=0), X.std(axis=0)
        self.size[self.size == 0] = 1.0
        self.target, self.unit = float(y.mean()), float(y.std()) or 1.0

    def inputs(self, X: FloatArray) -> torch.Tensor:
        return torch.from_numpy(((X - self.middle) / self.size).astype(np.float32))

    def targets(self, y: FloatArray) -> torch.Tensor:
        return torch.from_numpy(((y - self.target) / self.unit).astype(np.float32))

    def together(self, passes: list[torch.Tensor]) -> tuple[FloatArray, FloatArray]:
        """(n,) mean and standard deviation of a mixture of normals, one per pass or member."""
        each = torch.stack(passes).double().numpy()
        means, variances = each[:, :, 0], np.exp(each[:, :, 1]) + _LEAST_VARIANCE
        spread = np.sqrt(variances.mean(axis=0) + means.var(axis=0))
        return self.target + self.unit * means.mean(axis=0), self.unit * spread


def _trained(model: Any, scales: _Scales, X: FloatArray, y: FloatArray, *, seed: int, rate: float) -> nn.Module:
    """A net for mean and logarithm of the variance."""
    inputs, targets = scales.inputs(X), scales.targets(y)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = _net((X.shape[1], *model.hidden), rate)
        optimiser = torch.optim.Adam(net.parameters(), lr=model.learning_rate)
        steps = model.epochs * -(-len(inputs) // model.batch_size)
        course = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
        loss_of = nn.GaussianNLLLoss(eps=_LEAST_VARIANCE)
        for _ in range(model.epochs):
            for rows in torch.split(torch.randperm(len(inputs)), model.batch_size):
                optimiser.zero_grad()
                made = net(inputs[rows])
                loss_of(made[:, 0], targets[rows], made[:, 1].exp()).backward()
                optimiser.step()
                course.step()
    return net.eval()


def _net(widths: tuple[int, ...], rate: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.SiLU(), *([nn.Dropout(rate)] if rate else [])]
    return nn.Sequential(*layers, nn.Linear(widths[-1], 2))
