"""DINAMO-S, written from its paper (arXiv:2501.19237): an exponentially weighted reference with its own uncertainty."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlcore.conditions import FloatArray

#: Keeps the weight of an empty bin finite; in units of the variance of a normalised bin.
EPSILON = 1e-6


def dinamo_s(counts: npt.NDArray[np.floating[npt.NBitBase]], confirmed: npt.ArrayLike, *, memory: float) -> FloatArray:
    """Scores (n,) of histograms (n, bins) in order: the reduced chi-square of each against the reference before it.

    The reference is updated with every histogram `confirmed` good (label 0). `memory` is the weight of the past (the
    alpha of the paper), between 0 and 1. Weights are the inverse variances of the bins of the normalised histogram.
    """
    totals = counts.sum(axis=1)
    good = np.asarray(confirmed) == 0
    shapes = counts / np.where(totals > 0, totals, 1.0)[:, None]
    poisson = shapes * (1 - shapes) / np.where(totals > 0, totals, 1.0)[:, None]
    bins = counts.shape[1]
    reference = np.full(bins, 1.0 / bins)
    variance = reference * (1 - reference)
    weight = (1 - memory) / (variance + EPSILON)
    total, mean, spread = weight, weight * reference, weight * variance
    scores = np.full(len(counts), np.nan)
    for row in np.flatnonzero(totals > 0):
        away = (shapes[row] - reference) ** 2
        scores[row] = np.mean(away / (poisson[row] + variance + EPSILON))
        if good[row]:
            weight = (1 - memory) / (poisson[row] + EPSILON)
            total = memory * total + weight
            mean = memory * mean + weight * shapes[row]
            spread = memory * spread + weight * away
            reference, variance = mean / total, spread / total
    return scores


def dinamo_s_frozen(
    history: npt.NDArray[np.floating[npt.NBitBase]], counts: npt.NDArray[np.floating[npt.NBitBase]], *, memory: float
) -> FloatArray:
    """Scores (n,) of histograms (n, bins) against the reference at the end of a history of good ones, (m, bins)."""
    totals = history.sum(axis=1, keepdims=True)
    shapes = history / totals
    weight = memory ** np.arange(len(history))[::-1][:, None] / (shapes * (1 - shapes) / totals + EPSILON)
    reference = (weight * shapes).sum(axis=0) / weight.sum(axis=0)
    variance = (weight * (shapes - reference) ** 2).sum(axis=0) / weight.sum(axis=0)
    total = counts.sum(axis=1, keepdims=True)
    given = counts / total
    return np.asarray(np.mean((given - reference) ** 2 / (given * (1 - given) / total + variance + EPSILON), axis=1))
