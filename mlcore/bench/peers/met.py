"""Autoencoders of missing-momentum histograms as CMS tried them: one per monitoring element, its mean squared error."""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from torch import nn

from mlcore.conditions import FloatArray
from mlcore.histograms import HistogramBlock

#: found there by Optuna
CODE = (10, 2)
BATCH = 128


class PublishedAutoencoder:
    """Dense layers down to 10 and 2 and back, histograms divided by their largest bin, mean squared error, trained on
    good lumisections (S. Al Khudari, Machine learning models for data quality monitoring, CMS, August 2024; rate 1e-4
    and 2,000 epochs there). Rate and epochs here: fewer steps at ten times the rate, until the error falls no more.

    Takes one block as published, or several side by side.
    """

    def __init__(self, *, epochs: int = 150, learning_rate: float = 1e-3, seed: int = 0) -> None:
        self.epochs, self.learning_rate, self.seed = epochs, learning_rate, seed

    def fit(self, *blocks: HistogramBlock) -> Self:
        x = _scaled(blocks)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.net = _net(x.shape[1])
            optimiser = torch.optim.Adam(self.net.parameters(), lr=self.learning_rate)
            for _ in range(self.epochs):
                for rows in torch.split(torch.randperm(len(x)), BATCH):
                    optimiser.zero_grad()
                    loss = (self.net(x[rows]) - x[rows]).square().mean()
                    loss.backward()
                    optimiser.step()
        self.usual = np.sort(self.errors(*blocks))
        return self

    def errors(self, *blocks: HistogramBlock) -> FloatArray:
        x = _scaled(blocks)
        with torch.no_grad():
            return np.asarray((self.net(x) - x).square().mean(dim=1).double().numpy())

    def ranks(self, *blocks: HistogramBlock) -> FloatArray:
        """Share of the training lumisections with a smaller error; beyond them, by how much the largest is exceeded."""
        errors = self.errors(*blocks)
        share = np.searchsorted(self.usual, errors) / len(self.usual)
        return np.asarray(share + np.maximum(errors / self.usual[-1] - 1.0, 0.0))


def _net(bins: int) -> nn.Sequential:
    wide, narrow = CODE
    return nn.Sequential(
        nn.Linear(bins, wide), nn.ReLU(), nn.Linear(wide, narrow), nn.ReLU(),
        nn.Linear(narrow, wide), nn.ReLU(), nn.Linear(wide, bins), nn.Sigmoid(),
    )  # fmt: skip


def _scaled(blocks: tuple[HistogramBlock, ...]) -> torch.Tensor:
    parts = [block.flat / np.maximum(block.flat.max(axis=1, keepdims=True), 1e-9) for block in blocks]
    return torch.from_numpy(np.hstack(parts).astype(np.float32))
