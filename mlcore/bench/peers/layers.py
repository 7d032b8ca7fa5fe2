"""Drift-tube layers as in arXiv:1808.00911: its preprocessing, its two networks, and its baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import IsolationForest
from sklearn.svm import OneClassSVM
from torch import nn
from torch.nn import functional

from mlcore.conditions import FloatArray, IntArray

#: wires of the narrowest layer, to which all are interpolated
NARROWEST = 47
PATIENCE = 32
#: the one-class machine learns from so many good layers
MACHINE = 1_200


def prepared(counts: FloatArray) -> FloatArray:
    """(n, 45) running median of three, linear interpolation to the narrowest layer, divided by the largest."""
    middle = np.median(np.stack([counts[:, :-2], counts[:, 1:-1], counts[:, 2:]]), axis=0)
    old, new = np.linspace(0.0, 1.0, middle.shape[1]), np.linspace(0.0, 1.0, NARROWEST - 2)
    narrow = np.stack([np.interp(new, old, row) for row in middle])
    return np.asarray(narrow / np.maximum(narrow.max(axis=1, keepdims=True), 1e-9))


def convolutional() -> nn.Sequential:
    """Ten filters of three wires, pooling over five, eight neurons, two classes."""
    return nn.Sequential(
        nn.Conv1d(1, 10, 3), nn.ReLU(), nn.MaxPool1d(5), nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 2)
    )


def shallow() -> nn.Sequential:
    """Eight neurons, two classes."""
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 2))


def trained(
    make: Callable[[], nn.Sequential],
    learned: tuple[FloatArray, IntArray],
    watched: tuple[FloatArray, IntArray],
    *,
    seed: int,
    epochs: int = 1_500,
    learning_rate: float = 1e-2,
) -> Any:
    """All layers in one batch, Adam, classes balanced, stopped when the watched ones have not gained for 32 epochs. The
    rate is not published; at 1e-3 the same is reached after some thousand epochs."""
    x, y = _tensor(learned[0]), torch.from_numpy(learned[1])
    seen, told = _tensor(watched[0]), torch.from_numpy(watched[1])
    balance = torch.tensor([0.5 / max(float((learned[1] == kind).mean()), 1e-9) for kind in (0, 1)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net: Any = make()
        net(x[:2])
        optimiser = torch.optim.Adam(net.parameters(), lr=learning_rate)
        best, since, kept = float("inf"), 0, None
        for _ in range(epochs):
            optimiser.zero_grad()
            torch.autograd.backward(functional.cross_entropy(net(x), y, weight=balance))
            optimiser.step()
            with torch.no_grad():
                loss = float(functional.cross_entropy(net(seen), told, weight=balance))
            since += 1
            if loss < best - 1e-4:
                best, since = loss, 0
                kept = {name: value.clone() for name, value in net.state_dict().items()}
            if since >= PATIENCE:
                break
    if kept is not None:
        net.load_state_dict(kept)
    return net.eval()


def odds(net: Any, x: FloatArray) -> FloatArray:
    """(n,) log-odds of faulty."""
    with torch.no_grad():
        found = net(_tensor(x)).double().numpy()
    return np.asarray(found[:, 1] - found[:, 0])


def variance(x: FloatArray) -> FloatArray:
    return np.asarray(x.var(axis=1))


def sobel(x: FloatArray) -> FloatArray:
    """The steepest step."""
    return np.asarray(np.abs(x[:, 2:] - x[:, :-2]).max(axis=1))


def isolation_forest(learned: FloatArray, x: FloatArray, *, seed: int) -> FloatArray:
    """Learned from all layers, unlabelled."""
    return -np.asarray(IsolationForest(random_state=seed).fit(learned).score_samples(x))


def one_class_machine(good: FloatArray, x: FloatArray) -> FloatArray:
    return -np.asarray(OneClassSVM(nu=0.1, gamma="scale").fit(good[:MACHINE]).decision_function(x))


def _tensor(x: FloatArray) -> torch.Tensor:
    return torch.from_numpy(x[:, None].astype(np.float32))
