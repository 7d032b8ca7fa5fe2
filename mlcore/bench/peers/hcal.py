"""The networks of the HCAL study (G. Fidalgo, Using machine learning techniques for data quality monitoring at CMS,
2018), as they stand on its slides: maps divided by their largest channel, Adam, cross-entropy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from mlcore.conditions import FloatArray, IntArray
from mlcore.histograms import HistogramBlock

BATCH = 32
#: of the autoencoder on the slides, and how much narrower it is here, or it would take hours on one core
WIDTHS, NARROWER = (86, 64, 32), 8


def images(block: HistogramBlock) -> torch.Tensor:
    """(n, 1, height, width) maps divided by their largest channel."""
    counts = np.asarray(block.counts, dtype=np.float32)
    return torch.from_numpy(counts / np.maximum(counts.max(axis=(1, 2), keepdims=True), 1e-9))[:, None]


def simple_network() -> nn.Sequential:
    """The first architecture: two strided convolutions and one dense layer; 0.9908 for 5 x 5 regions anywhere, 0.6372
    for single channels."""
    return nn.Sequential(
        nn.BatchNorm2d(1), nn.Conv2d(1, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2), nn.ReLU(),
        nn.Dropout(0.25), nn.Flatten(), nn.LazyLinear(3),
    )  # fmt: skip


def deeper_network() -> nn.Sequential:
    """With a couple of layers more: 0.9083 for single channels."""
    return nn.Sequential(
        nn.Conv2d(1, 10, 2), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(10), nn.Conv2d(10, 8, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Conv2d(8, 8, 1), nn.ReLU(), nn.Dropout(0.25), nn.Flatten(), nn.LazyLinear(8), nn.ReLU(),
        nn.Linear(8, 3),
    )  # fmt: skip


def trained(
    make: Callable[[], nn.Sequential], block: HistogramBlock, classes: IntArray, *, epochs: int, seed: int
) -> Any:
    """One of these networks after so many epochs."""
    x, y = images(block), torch.from_numpy(classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net: Any = make()
        net(x[:4])
        optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
        net.train()
        for _ in range(epochs):
            for rows in torch.split(torch.randperm(len(x)), BATCH):
                optimiser.zero_grad()
                loss = functional.cross_entropy(net(x[rows]), y[rows])
                torch.autograd.backward(loss)
                optimiser.step()
    return net.eval()


def told(net: Any, block: HistogramBlock) -> IntArray:
    """(n,) the class that it says."""
    with torch.no_grad():
        return np.asarray(net(images(block)).argmax(dim=1).numpy(), dtype=np.int64)


class PublishedAutoencoder:
    """Convolutions, batch normalisation and pooling down and back, trained on good maps by Adadelta on the mean squared
    error; the error is the score. An eighth as wide as on the slides."""

    def __init__(self, *, epochs: int, seed: int) -> None:
        self.epochs, self.seed = epochs, seed

    def fit(self, block: HistogramBlock) -> PublishedAutoencoder:
        x = images(block)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.net = _autoencoder().train()
            optimiser = torch.optim.Adadelta(self.net.parameters(), lr=1.0, rho=0.95, eps=1e-7)
            for _ in range(self.epochs):
                for rows in torch.split(torch.randperm(len(x)), BATCH):
                    optimiser.zero_grad()
                    loss = (self.net(x[rows]) - x[rows]).square().mean()
                    loss.backward()
                    optimiser.step()
        self.net.eval()
        return self

    def score(self, block: HistogramBlock) -> FloatArray:
        x = images(block)
        with torch.no_grad():
            return np.asarray((self.net(x) - x).square().mean(dim=(1, 2, 3)).double().numpy())


def _autoencoder() -> nn.Sequential:
    one, two, three = (max(width // NARROWER, 1) for width in WIDTHS)
    layers: list[nn.Module] = []
    for before, after in ((1, one), (one, two), (two, three)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    for before, after in ((three, three), (three, two), (two, one)):
        layers += [
            nn.Conv2d(before, after, 3, padding=1),
            nn.BatchNorm2d(after),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
        ]
    return nn.Sequential(*layers, nn.Conv2d(one, 1, 3, padding=1), nn.Sigmoid())


def best_cut(score: FloatArray, faulty: npt.NDArray[np.bool_]) -> float:
    """The largest share of maps that a cut puts on the right side."""
    order = np.argsort(score)
    right = np.concatenate([[faulty.sum()], faulty.sum() + np.cumsum(np.where(faulty[order], -1, 1))])
    return float(right.max() / len(score))
