"""Trees as ONNX, to be run in C++ where the data are: the answers are the same, to the last decision of a tree.

ONNX compares in single precision. A threshold is therefore written as the largest single-precision number that is not
above it: for inputs of single precision every comparison then comes out as in scikit-learn. (Converters that round to
the nearest send a value that lies on a threshold to the other side.) Needs the package `onnx` of the development
requirements; models that the application itself loads are kept by `mlcore.artifacts`, never as ONNX.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier

from .conditions import FloatArray
from .errors import MlcoreError

_ML, _OPSET = 3, 17


@dataclass
class _Nodes:
    """Columns of the operator TreeEnsembleRegressor."""

    columns: dict[str, list[Any]] = field(default_factory=dict)
    leaves: list[tuple[int, int, int, float]] = field(default_factory=list)

    def add(self, **values: Any) -> None:
        for name, value in values.items():
            self.columns.setdefault(f"nodes_{name}", []).append(value)


def export_onnx(estimator: Any, path: str | Path, names: Sequence[str]) -> Path:
    """Write a fitted forest, randomised forest or binary histogram boosting of scikit-learn.

    The model takes `features` (n, f) in single precision, in the order of `names`, which are kept in its metadata, and
    answers `probability` (n, classes). Raises MlcoreError for other estimators, and when `onnx` is not installed.
    """
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError:
        raise MlcoreError("writing ONNX needs the package onnx: pip install -r requirements-dev.txt.") from None
    trees, classes = _trees(estimator)
    if len(names) != estimator.n_features_in_:
        raise MlcoreError(f"{len(names)} names for {estimator.n_features_in_} features; name every one, in order.")
    boosted = isinstance(estimator, HistGradientBoostingClassifier)
    base = [float(np.asarray(estimator._baseline_prediction).ravel()[0])] if boosted else [0.0] * classes
    attributes: dict[str, Any] = trees.columns
    operator = helper.make_node(
        "TreeEnsembleRegressor", ["features"], ["sum"], domain="ai.onnx.ml", n_targets=len(base), base_values=base,
        target_treeids=[leaf[0] for leaf in trees.leaves], target_nodeids=[leaf[1] for leaf in trees.leaves],
        target_ids=[leaf[2] for leaf in trees.leaves], target_weights=[leaf[3] for leaf in trees.leaves],
        **attributes,
    )  # fmt: skip
    nodes = [operator, *_answer(helper, boosted=boosted)]
    graph = helper.make_graph(
        nodes, "mlcore",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(names)])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, classes])],
    )  # fmt: skip
    model = helper.make_model(
        graph, ir_version=9,
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML)],
    )  # fmt: skip
    helper.set_model_props(model, {"features": "\n".join(names)})
    onnx.checker.check_model(model)
    target = Path(path)
    target.write_bytes(model.SerializeToString())
    return target


def _answer(helper: Any, *, boosted: bool) -> list[Any]:
    """From the sum over trees to probabilities of the classes."""
    if not boosted:
        return [helper.make_node("Identity", ["sum"], ["probability"])]
    return [
        helper.make_node("Sigmoid", ["sum"], ["bad"]),
        helper.make_node("Neg", ["sum"], ["minus"]),
        helper.make_node("Sigmoid", ["minus"], ["good"]),
        helper.make_node("Concat", ["good", "bad"], ["probability"], axis=1),
    ]


def _trees(estimator: Any) -> tuple[_Nodes, int]:
    nodes = _Nodes()
    if isinstance(estimator, RandomForestClassifier | ExtraTreesClassifier) and estimator.n_outputs_ == 1:
        for number, tree in enumerate(estimator.estimators_):
            _of_forest(nodes, number, tree.tree_, len(estimator.estimators_))
        return nodes, len(estimator.classes_)
    if isinstance(estimator, HistGradientBoostingClassifier) and len(estimator.classes_) == 2:
        for number, (predictor,) in enumerate(estimator._predictors):
            if predictor.nodes["is_categorical"].any():
                raise MlcoreError("categories are not written to ONNX; give them as numbers.")
            _of_boosting(nodes, number, predictor.nodes)
        return nodes, 2
    raise MlcoreError(
        f"{type(estimator).__name__} is not written to ONNX; forests and binary histogram boosting of scikit-learn are."
    )


def _of_forest(nodes: _Nodes, number: int, tree: Any, count: int) -> None:
    share = tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True) / count
    left_on_missing = tree.missing_go_to_left
    for place in range(tree.node_count):
        leaf = tree.children_left[place] < 0
        _node(
            nodes, number, place, leaf=leaf, feature=tree.feature[place], threshold=tree.threshold[place],
            left=tree.children_left[place], right=tree.children_right[place], missing=left_on_missing[place],
        )  # fmt: skip
        if leaf:
            nodes.leaves += [(number, place, k, float(value)) for k, value in enumerate(share[place])]


def _of_boosting(nodes: _Nodes, number: int, tree: Any) -> None:
    for place, one in enumerate(tree):
        leaf = bool(one["is_leaf"])
        _node(
            nodes, number, place, leaf=leaf, feature=one["feature_idx"], threshold=one["num_threshold"],
            left=one["left"], right=one["right"], missing=one["missing_go_to_left"],
        )  # fmt: skip
        if leaf:
            nodes.leaves.append((number, place, 0, float(one["value"])))


def _node(
    nodes: _Nodes,
    number: int,
    place: int,
    *,
    leaf: bool,
    feature: Any,
    threshold: Any,
    left: Any,
    right: Any,
    missing: Any,
) -> None:
    nodes.add(
        treeids=number, nodeids=place, featureids=0 if leaf else int(feature), modes="LEAF" if leaf else "BRANCH_LEQ",
        values=0.0 if leaf else float(not_above(np.asarray([threshold]))[0]), hitrates=1.0,
        truenodeids=0 if leaf else int(left), falsenodeids=0 if leaf else int(right),
        missing_value_tracks_true=0 if leaf else int(missing),
    )  # fmt: skip


def not_above(thresholds: FloatArray) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The largest single-precision numbers that are not above these."""
    found = thresholds.astype(np.float32)
    high = found.astype(np.float64) > thresholds
    found[high] = np.nextafter(found[high], np.float32(-np.inf))
    return found
