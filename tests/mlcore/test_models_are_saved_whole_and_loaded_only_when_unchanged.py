"""An artifact comes back as it was saved; whatever was changed, added, linked, or could run code is refused by type."""

from __future__ import annotations

import hashlib
import json
import math
import os
import pickle
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, IsolationForest
from sklearn.isotonic import IsotonicRegression
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import FunctionTransformer

from mlcore.artifacts import Manifest, load, read_manifest, save
from mlcore.artifacts.encoding import Parts, decode, encode
from mlcore.conditions import Conditions
from mlcore.detectors.base import Detector
from mlcore.errors import ArtifactChanged, ArtifactError, ArtifactIncompatible, ArtifactUnsafe
from mlcore.histograms import Axis


@dataclass
class Box:
    """Anything at all, of a class that this test allows."""

    content: Any = None
    config: Any = None
    metrics_: dict[str, Any] = field(default_factory=dict)


def _save(content: Any, folder: Path, **more: Any) -> Manifest:
    return save(Box(content, **more), folder, classes=(Box,))


def _load(folder: Path, **more: Any) -> Any:
    return load(folder, classes=(Box,), **more).content


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    forest = ExtraTreesClassifier(3, random_state=0).fit(rng.normal(size=(40, 3)), np.arange(40) % 2)
    _save({"mean": np.arange(5.0), "forest": forest}, tmp_path / "model")
    return tmp_path / "model"


def _rewrite_manifest(folder: Path, **changes: Any) -> None:
    """What somebody who can write into the folder would do: change the manifest to match."""
    stored = json.loads((folder / "manifest.json").read_text())
    stored["files"] = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        for path in folder.iterdir()
        if path.name != "manifest.json"
    }
    (folder / "manifest.json").write_text(json.dumps({**stored, **changes}))


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    plain | st.sampled_from([np.float32(1.5), np.int8(3)]),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text(), inner)
        | st.dictionaries(st.integers() | st.tuples(st.integers()), inner)
        | st.frozensets(st.integers())
        | st.sets(st.text())
    ),
    max_leaves=12,
)


@given(values)
@settings(max_examples=150, deadline=None)
def test_plain_values_come_back_equal_and_of_the_same_type(value: Any) -> None:
    parts = Parts()
    stored = json.loads(json.dumps(encode(value, parts), allow_nan=False))
    back = decode(stored, parts)
    assert _alike(back, value)


def _alike(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, dict):
        return list(one) == list(two) and all(_alike(one[key], two[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(_alike, one, two))
    return bool(one == two) or repr(one) == repr(two)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.int16).reshape(2, 3),
        np.asfortranarray(np.random.default_rng(0).normal(size=(4, 5))),
        np.array([np.nan, np.inf, -0.0], dtype=np.float32),
        np.array(["muons", "électrons"]),
        np.array([True, False]),
        np.zeros((0, 7)),
        np.array(2.5),
        np.array([1, "a", None, (2, 3)], dtype=object),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)
def test_arrays_come_back_bit_for_bit(array: Any, tmp_path: Path) -> None:
    _save(array, tmp_path / "model")
    back = _load(tmp_path / "model")
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert back.flags.f_contiguous == array.flags.f_contiguous
    assert back.tolist() == array.tolist() if array.dtype == object else back.tobytes() == array.tobytes()


def test_values_of_mlcore_come_back_with_what_they_know(tmp_path: Path) -> None:
    axis = Axis.regular("phi", 8, 0.0, 6.0, circular=True, unit="rad")
    conditions = Conditions(run=np.array([5, 5]), lumisection=np.array([1, 2]), pileup=np.array([30.0, np.nan]))
    more = {"layout": ("a", axis), "kind": np.dtype("f4"), "part": slice(1, None)}
    _save({"axis": axis, "conditions": conditions, **more}, tmp_path / "model")
    back = _load(tmp_path / "model")
    assert back["axis"] == axis
    assert back["axis"].unit == "rad"
    assert back["conditions"].name(1) == "run 5 lumisection 2"
    assert math.isnan(back["conditions"].pileup[1])
    assert back["layout"] == ("a", axis)
    assert (back["kind"], back["part"]) == (np.dtype("f4"), slice(1, None))


@pytest.mark.parametrize(
    "estimator",
    [
        HistGradientBoostingClassifier(max_iter=5),
        ExtraTreesClassifier(5),
        IsolationForest(n_estimators=5),
        GaussianMixture(2),
        NearestNeighbors(),
        IsotonicRegression(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_estimators_of_scikit_learn_answer_the_same(estimator: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(x, x[:, 0] > 0)
    _save(estimator, tmp_path / "model")
    back = _load(tmp_path / "model")
    for ask in ("predict_proba", "score_samples", "predict", "kneighbors"):
        if hasattr(estimator, ask):
            assert np.array_equal(np.asarray(getattr(back, ask)(x)), np.asarray(getattr(estimator, ask)(x)))


def test_tensors_come_back_without_pickle(tmp_path: Path) -> None:
    import torch

    net = torch.nn.Linear(3, 2)
    _save({"net": net.state_dict()}, tmp_path / "model")
    assert (tmp_path / "model" / "tensors.safetensors").is_file()
    twin = torch.nn.Linear(3, 2)
    twin.load_state_dict(_load(tmp_path / "model")["net"])
    assert torch.equal(twin.weight, net.weight)


def test_the_manifest_says_what_is_known_of_the_model(tmp_path: Path) -> None:
    written = save(
        Box(1, config=Axis.regular("x", 2, 0.0, 1.0), metrics_={"auc": 0.5}),
        tmp_path / "model",
        guarantee={"pollution": np.float64(0.004), "loss": np.nan},
        lineage={"parent": "v3"},
        fingerprint="abc",
        classes=(Box,),
    )
    read = read_manifest(tmp_path / "model", digest=written.digest)
    assert read == written
    assert read.metrics == {"auc": 0.5}
    assert read.guarantee == {"pollution": 0.004, "loss": None}
    assert read.lineage == {"parent": "v3"}
    assert (read.fingerprint, read.format, read.config["name"]) == ("abc", "1.0", "x")
    assert {"python", "numpy", "scikit-learn"} <= set(read.libraries)


@pytest.mark.parametrize("name", ["arrays.npz", "state.json", "estimator-0.skops"])
def test_a_changed_file_is_refused(artifact: Path, name: str) -> None:
    content = bytearray((artifact / name).read_bytes())
    content[len(content) // 2] ^= 1
    (artifact / name).write_bytes(content)
    with pytest.raises(ArtifactChanged, match=name):
        _load(artifact)


@pytest.mark.parametrize("name", ["arrays.npz", "manifest.json"])
def test_a_missing_file_is_refused(artifact: Path, name: str) -> None:
    (artifact / name).unlink()
    with pytest.raises(ArtifactChanged, match="missing"):
        _load(artifact)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactChanged, match="missing"):
        _load(tmp_path / "nothing")


def test_a_manifest_changed_to_match_is_refused_by_its_digest(artifact: Path) -> None:
    digest = read_manifest(artifact).digest
    assert _load(artifact, digest=digest)["mean"][1] == 1.0
    state = (artifact / "state.json").read_text()
    (artifact / "state.json").write_text(state + " ")
    _rewrite_manifest(artifact)
    _load(artifact)
    with pytest.raises(ArtifactChanged, match="not the one that was saved"):
        _load(artifact, digest=digest)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": "1.0"}', b"\xff\xfe"])
def test_a_manifest_that_is_none_is_refused(artifact: Path, content: bytes) -> None:
    (artifact / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactChanged, match=r"manifest\.json"):
        _load(artifact)


@pytest.mark.parametrize("entry", [{"sha256": 1, "bytes": 2}, {"sha256": "00", "bytes": "2"}, {"sha256": "00"}, "00"])
def test_a_manifest_without_hash_and_size_of_a_file_is_refused(artifact: Path, entry: Any) -> None:
    files = json.loads((artifact / "manifest.json").read_text())["files"]
    _rewrite_manifest(artifact, files={**files, "arrays.npz": entry})
    with pytest.raises(ArtifactChanged, match="not a manifest"):
        _load(artifact)


def test_what_a_manifest_tells_is_plain_json_whatever_it_was(tmp_path: Path) -> None:
    told = {"area": np.float64("nan"), "runs": {3}, "when": np.arange(2), "made in": tmp_path}
    save(Box(1), tmp_path / "model", classes=(Box,), metrics=told)
    read = read_manifest(tmp_path / "model").metrics
    assert read == {"area": None, "runs": [3], "when": [0, 1], "made in": str(tmp_path)}


def test_another_major_version_is_named(artifact: Path) -> None:
    _rewrite_manifest(artifact, format="2.3")
    with pytest.raises(ArtifactIncompatible, match=r"format 2\.3.*reads 1\.x"):
        _load(artifact)
    _rewrite_manifest(artifact, format="1.9", news="a field of the future")
    assert _load(artifact)["mean"][1] == 1.0


def test_estimators_of_another_scikit_learn_are_refused(artifact: Path) -> None:
    stored = json.loads((artifact / "manifest.json").read_text())
    _rewrite_manifest(artifact, libraries={**stored["libraries"], "scikit-learn": "1.2.0"})
    with pytest.raises(ArtifactIncompatible, match=r"scikit-learn 1\.2\.0"):
        _load(artifact)


def test_files_of_which_the_manifest_knows_nothing_are_refused(artifact: Path) -> None:
    (artifact / "more.npz").write_bytes(b"")
    with pytest.raises(ArtifactUnsafe, match=r"more\.npz"):
        _load(artifact)


@pytest.mark.parametrize(
    "name", ["../outside.npz", "/etc/passwd.json", "sub/arrays.npz", "..", "manifest.json", "x.pkl"]
)
def test_names_with_a_path_or_of_another_kind_are_refused(artifact: Path, name: str) -> None:
    stored = json.loads((artifact / "manifest.json").read_text())
    stored["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    (artifact / "manifest.json").write_text(json.dumps(stored))
    with pytest.raises(ArtifactUnsafe, match="names a file"):
        _load(artifact)


def test_links_pipes_and_folders_are_not_followed(artifact: Path, tmp_path: Path) -> None:
    arrays = artifact / "arrays.npz"
    arrays.rename(tmp_path / "elsewhere.npz")
    arrays.symlink_to(tmp_path / "elsewhere.npz")
    with pytest.raises(ArtifactUnsafe, match="plain file"):
        _load(artifact)
    arrays.unlink()
    os.mkfifo(arrays)
    with pytest.raises(ArtifactUnsafe, match="plain file"):
        _load(artifact)
    arrays.unlink()
    arrays.mkdir()
    with pytest.raises(ArtifactUnsafe, match="plain file"):
        _load(artifact)


class Bomb:
    def __reduce__(self) -> Any:
        return os.system, ("touch /tmp/pwned-by-artifact",)


def test_a_pickle_in_an_array_never_runs(artifact: Path) -> None:
    np.savez(artifact / "arrays.npz", a0=np.array([Bomb()], dtype=object))
    _rewrite_manifest(artifact)
    with pytest.raises(ArtifactIncompatible, match="allow_pickle"):
        _load(artifact)
    (artifact / "arrays.npz").write_bytes(pickle.dumps(Bomb()))
    _rewrite_manifest(artifact)
    with pytest.raises(ArtifactIncompatible, match="train the model again"):
        _load(artifact)
    assert not Path("/tmp/pwned-by-artifact").exists()


def test_a_foreign_type_or_function_in_an_estimator_is_refused(artifact: Path) -> None:
    for foreign in (FunctionTransformer(func=os.getcwd), Bomb(), {"call": np.mean}):
        (artifact / "estimator-0.skops").write_bytes(skops.io.dumps(foreign))
        _rewrite_manifest(artifact)
        with pytest.raises(ArtifactUnsafe, match="could run code"):
            _load(artifact)


def test_a_compressed_estimator_is_refused_before_it_fills_the_memory(artifact: Path) -> None:
    with zipfile.ZipFile(artifact / "estimator-0.skops", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", "{}" + " " * 10_000_000)
    _rewrite_manifest(artifact)
    with pytest.raises(ArtifactUnsafe, match="compressed"):
        _load(artifact)


def test_compressed_content_is_refused_before_it_fills_the_memory(artifact: Path) -> None:
    np.savez_compressed(artifact / "arrays.npz", a0=np.zeros(10_000_000))
    _rewrite_manifest(artifact)
    with pytest.raises(ArtifactUnsafe, match="compressed"):
        _load(artifact)


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({"$": "object", "class": "os:system", "attributes": {}}, ArtifactUnsafe),
        ({"$": "object", "class": "subprocess:Popen", "attributes": {}}, ArtifactUnsafe),
        ({"$": "object", "class": "mlcore.artifacts.folder:os", "attributes": {}}, ArtifactUnsafe),
        ({"$": "object", "class": "mlcore.bench.__main__:main", "attributes": {}}, ArtifactUnsafe),
        ({"$": "object", "class": "mlcore.artifacts.folder:save", "attributes": {}}, ArtifactUnsafe),
        ({"$": "object", "class": "mlcore..os:x", "attributes": {}}, ArtifactUnsafe),
        ({"$": "object", "class": "mlcore.gone:Detector", "attributes": {}}, ArtifactIncompatible),
        ({"$": "object", "class": "mlcore.histograms:Cube", "attributes": {}}, ArtifactIncompatible),
        ({"$": "object", "class": "mlcore.histograms:Axis", "attributes": {"__class__": 1}}, ArtifactUnsafe),
        ({"$": "object", "class": "mlcore.histograms:Axis", "attributes": {}, "state": {}}, ArtifactIncompatible),
        ({"$": "enum", "class": "mlcore.simulate.machine:Mode", "name": "PHYSICS"}, ArtifactIncompatible),
        ({"$": "pickle", "value": "gASV"}, ArtifactIncompatible),
        ({"$": "array", "key": "a99"}, ArtifactIncompatible),
        ({"$": "dtype"}, ArtifactIncompatible),
    ],
)
def test_a_state_that_names_what_is_not_ours_is_refused(artifact: Path, state: Any, error: type[Exception]) -> None:
    (artifact / "state.json").write_text(json.dumps(state))
    _rewrite_manifest(artifact)
    with pytest.raises(error):
        _load(artifact)


def test_what_cannot_be_loaded_safely_is_not_saved(tmp_path: Path) -> None:
    loop: list[Any] = []
    loop.append(loop)
    refused = [print, lambda: 1, os, Bomb(), loop, np.array([print], dtype=object), FunctionTransformer(func=os.getcwd),
               np.zeros(2, dtype=[("a", "f4")])]  # fmt: skip
    for content in refused:
        with pytest.raises(ArtifactUnsafe):
            _save(content, tmp_path / "model")
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(ArtifactUnsafe, match="Box"):
        save(Box(1), tmp_path / "model")


def test_nothing_is_overwritten_and_a_failed_write_leaves_nothing(artifact: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="never overwritten"):
        _save(1, artifact)
    assert _load(artifact)["mean"][1] == 1.0
    with pytest.raises(FileNotFoundError):
        _save(1, tmp_path / "no" / "parent")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_detector_without_a_home_in_mlcore_needs_to_be_named(tmp_path: Path) -> None:
    class Mine(Detector):
        consumes = "block"

    with pytest.raises(ArtifactUnsafe, match="Mine"):
        save(Mine(), tmp_path / "model")
    save(Mine(), tmp_path / "model", classes=(Mine,))
    assert isinstance(load(tmp_path / "model", classes=(Mine,)), Mine)
    with pytest.raises(ArtifactUnsafe, match="only classes of mlcore"):
        load(tmp_path / "model")
