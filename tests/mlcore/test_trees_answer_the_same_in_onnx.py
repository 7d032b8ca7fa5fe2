"""Trees written as ONNX give the answers of scikit-learn, on thresholds and where values are missing, too."""
# ruff: noqa: N803, N806  # X is what scikit-learn calls it

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
import pytest
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from mlcore.errors import MlcoreError
from mlcore.export import export_onnx, not_above

NAMES = [f"feature {place}" for place in range(5)]


def sample(classes: int, *, missing: bool) -> tuple[Any, Any]:
    rng = np.random.default_rng(classes)
    X = rng.normal(size=(1500, 5)).round(1).astype(np.float32)  # coarse: many values lie on thresholds
    y = np.digitize(X[:, 0] * X[:, 1] + 0.3 * rng.normal(size=1500), np.linspace(-0.4, 0.4, classes - 1))
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
    return X, y


def answers(path: Path, X: Any) -> Any:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["probability"], {"features": X})[0]


@pytest.mark.parametrize(
    ("estimator", "classes", "missing"),
    [
        (RandomForestClassifier(15, random_state=0), 2, True),
        (RandomForestClassifier(15, random_state=0), 4, False),
        (ExtraTreesClassifier(15, random_state=0), 3, False),
        (HistGradientBoostingClassifier(max_iter=25, random_state=0), 2, True),
    ],
)
def test_the_answers_are_the_same(tmp_path: Path, estimator: Any, classes: int, missing: bool) -> None:
    X, y = sample(classes, missing=missing)
    model = estimator.fit(X[:1000], y[:1000])
    path = export_onnx(model, tmp_path / "model.onnx", NAMES)
    assert answers(path, X) == pytest.approx(model.predict_proba(X), abs=2e-6)
    properties = {one.key: one.value for one in onnx.load(path).metadata_props}
    assert properties["features"].split("\n") == NAMES


def test_a_threshold_in_single_precision_sends_no_value_to_the_other_side() -> None:
    thresholds = np.array([0.1, 1.0 / 3.0, -0.7, 1e-9, 2.0])
    found = not_above(thresholds)
    assert (found.astype(float) <= thresholds).all()
    assert (np.nextafter(found, np.float32(np.inf)).astype(float) > thresholds).all()


def test_what_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = sample(2, missing=False)
    with pytest.raises(MlcoreError, match="LogisticRegression is not written"):
        export_onnx(LogisticRegression().fit(X, y), tmp_path / "a.onnx", NAMES)
    forest = RandomForestClassifier(3, random_state=0).fit(X, y)
    with pytest.raises(MlcoreError, match="2 names for 5 features"):
        export_onnx(forest, tmp_path / "a.onnx", NAMES[:2])
    kinds = HistGradientBoostingClassifier(max_iter=3, categorical_features=[4]).fit(
        np.column_stack([X[:, :4], X[:, 4] > 0]), (X[:, 4] > 0).astype(int)
    )
    with pytest.raises(MlcoreError, match="categories"):
        export_onnx(kinds, tmp_path / "a.onnx", NAMES)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MlcoreError, match="needs the package onnx"):
        export_onnx(forest, tmp_path / "a.onnx", NAMES)
