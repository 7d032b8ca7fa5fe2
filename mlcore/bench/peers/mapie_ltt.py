"""MAPIE's learn-then-test (arXiv:2110.01052) as a peer: the same two risks, its own p-values and corrections."""

from __future__ import annotations

import numpy as np

from mlcore.conditions import FloatArray, IntArray


def mapie_thresholds(
    probability_bad: FloatArray, labels: IntArray, *, limit: float, confidence: float, thresholds: int = 50
) -> tuple[float, float]:
    """(t_good, t_bad), NaN for a side on which MAPIE finds nothing; a grid of thresholds even in log odds.

    Each side has a controller of its own at `confidence`, as our failure probability is split.
    """
    grid = 1 / (1 + np.exp(-np.linspace(-6.0, 6.0, thresholds)))
    good = controlled(probability_bad, labels, "pollution", grid, limit=limit, confidence=confidence)
    bad = controlled(probability_bad, labels, "loss", grid, limit=limit, confidence=confidence)
    return float(good.max()) if good.size else float("nan"), float(bad.min()) if bad.size else float("nan")


def controlled(
    probability_bad: FloatArray,
    labels: IntArray,
    side: str,
    grid: FloatArray,
    *,
    limit: float,
    confidence: float,
    method: str = "bonferroni_holm",
) -> FloatArray:
    """The thresholds of the grid at which MAPIE says that the risk is controlled, ascending."""
    import warnings

    from mapie.risk_control import BinaryClassificationController, BinaryRisk

    risks = {
        "pollution": BinaryRisk(lambda truth, called: truth == 1, lambda truth, called: called == 0, False),
        "loss": BinaryRisk(lambda truth, called: called == 1, lambda truth, called: truth == 0, False),
    }
    controller = BinaryClassificationController(
        predict_function=lambda p: np.column_stack([1 - p[:, 0], p[:, 0]]),
        risk=risks[side],
        target_level=limit,
        confidence_level=confidence,
        list_predict_params=grid,
        fwer_method=method,
        best_predict_param_choice=risks[side],
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns when no threshold is valid, which is an answer here
        controller.calibrate(probability_bad[:, None], labels)
    return np.sort(np.asarray(controller.valid_predict_params, dtype=np.float64).reshape(-1))
