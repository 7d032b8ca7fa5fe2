"""What is usual for a cell calorimeter: cuts in standard deviations, tests of times, nets on bare samples."""

# ruff: noqa: N806  # X is what scikit-learn calls it
from __future__ import annotations

import warnings

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from mlcore.conditions import FloatArray


def cuts(counts: FloatArray, centres: FloatArray, *, deviations: float = 5.0, rounds: int = 5) -> FloatArray:
    """(channels,) flagged: hits and mean energy per hit further than so many standard deviations, round by round."""
    total = counts.sum(axis=1)
    energy = (counts @ centres) / np.maximum(total, 1.0)
    good = np.ones(len(counts), dtype=bool)
    for _ in range(rounds):
        off = [np.abs(x - x[good].mean()) / x[good].std() for x in (total, energy)]
        good = np.max(off, axis=0) < deviations
    return np.asarray(~good, dtype=np.float64)


def forest(counts: FloatArray, *, share: float, random_state: int) -> FloatArray:
    """(channels,) flagged: the given share, by an isolation forest on logarithms of hits per bin."""
    X = np.log(counts + 0.5)
    odd = -IsolationForest(n_estimators=100, random_state=random_state).fit(X).score_samples(X)
    return np.asarray(odd > np.quantile(odd, 1.0 - share), dtype=np.float64)


def time_tests(good: FloatArray, asked: FloatArray, centres: FloatArray) -> dict[str, FloatArray]:
    """(n,) scores of each lumisection against the sum of good ones: mean, width, chi-square, Kolmogorov-Smirnov."""
    usual = good.sum(axis=0) + 0.5
    usual = usual / usual.sum()
    hits = np.maximum(asked.sum(axis=1, keepdims=True), 1.0)
    mean = asked @ centres / hits[:, 0]
    width = np.sqrt(np.maximum(asked @ centres**2 / hits[:, 0] - mean**2, 0.0))
    middle = float(usual @ centres)
    distance = np.abs(np.cumsum(asked, axis=1) / hits - np.cumsum(usual)).max(axis=1)
    return {
        "mean time": np.abs(mean - middle) * np.sqrt(hits[:, 0]),
        "width": width,
        "chi-square": ((asked - hits * usual) ** 2 / (hits * usual)).sum(axis=1),
        "Kolmogorov-Smirnov": distance * np.sqrt(hits[:, 0]),
    }


def bare_net(samples: FloatArray, amplitude: FloatArray, asked: FloatArray, *, random_state: int) -> FloatArray:
    """Amplitudes of `asked` by a net on bare samples and squared error: what predicts amplitudes wrong."""
    net = MLPRegressor(hidden_layer_sizes=(32, 32), max_iter=30, tol=0.0, random_state=random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net.fit(samples / 100.0, amplitude / 100.0)
    return np.asarray(100.0 * net.predict(asked / 100.0))
