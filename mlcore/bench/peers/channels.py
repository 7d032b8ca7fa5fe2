"""The channel-decomposed network of arXiv:1711.07051 as published."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch import nn

from mlcore.conditions import FloatArray, IntArray
from mlcore.features import FeatureTable

#: of the loss, asked of each branch alone at the beginning; falls to none
SOFT = 0.5
BATCH = 128


class PublishedChannels:
    """One sub-network per channel, f_i the probability that it sees nothing wrong, joined by the fuzzy AND
    exp(sum (f_i - 1)).

    Standardised features, luminosity as weight. Loss: (1 - C) cross-entropy of the whole + C mean cross-entropy of the
    branches against the global label, C falling to 0. Widths, dropout and rate are not published.
    """

    def __init__(
        self, *, hidden: tuple[int, ...] = (64, 32), dropout: float = 0.2, epochs: int = 30, seed: int = 0
    ) -> None:
        self.hidden, self.dropout, self.epochs, self.seed = hidden, dropout, epochs, seed

    def fit(self, table: FeatureTable, labels: IntArray) -> Self:
        self.objects = tuple(dict.fromkeys(table.groups))
        self.middle, width = table.values.mean(axis=0), table.values.std(axis=0)
        self.width = np.where(width > 0, width, 1.0)
        luminosity = table.conditions.luminosity / table.conditions.luminosity.mean()
        good = torch.from_numpy((1 - labels).astype(np.float32))
        weight = torch.from_numpy(luminosity.astype(np.float32))
        parts = self._parts(table)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.branches = nn.ModuleList(
                _branch((part.shape[1], *self.hidden, 1), self.dropout) for part in parts
            ).train()
            optimiser = torch.optim.Adam(self.branches.parameters(), lr=1e-3)
            for epoch in range(self.epochs):
                soft = SOFT * (1.0 - epoch / self.epochs)
                for rows in torch.split(torch.randperm(len(good)), BATCH):
                    each = self._answers([part[rows] for part in parts])
                    whole = torch.exp((each - 1.0).sum(dim=1))
                    loss = (1.0 - soft) * _cross_entropy(whole, good[rows], weight[rows])
                    loss = loss + soft * _cross_entropy(each, good[rows, None], weight[rows, None])
                    optimiser.zero_grad()
                    torch.autograd.backward(loss)
                    optimiser.step()
        self.branches.eval()
        return self

    def badness(self, table: FeatureTable) -> FloatArray:
        """(n, objects) one minus what each branch says."""
        with torch.no_grad():
            return np.asarray(1.0 - self._answers(self._parts(table)).double().numpy())

    def score(self, table: FeatureTable) -> FloatArray:
        """(n,) one minus the fuzzy AND."""
        return np.asarray(1.0 - np.exp(-self.badness(table).sum(axis=1)))

    def _answers(self, parts: list[torch.Tensor]) -> torch.Tensor:
        logits = [branch(part) for branch, part in zip(self.branches, parts, strict=True)]
        return torch.sigmoid(torch.cat(logits, dim=1))

    def _parts(self, table: FeatureTable) -> list[torch.Tensor]:
        values = ((table.values - self.middle) / self.width).astype(np.float32)
        groups = np.array(table.groups)
        return [torch.from_numpy(values[:, groups == name]) for name in self.objects]


def _branch(widths: tuple[int, ...], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in pairwise(widths[:-1]):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


def _cross_entropy(p: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    p = p.clamp(1e-6, 1.0 - 1e-6)
    return -((wanted * p.log() + (1.0 - wanted) * (1.0 - p).log()) * weight).mean()
