"""Writing an artifact at once and reading it only when it is what the manifest says."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from mlcore.errors import ArtifactChanged, ArtifactError, ArtifactIncompatible, ArtifactUnsafe

from .encoding import Parts, class_name, decode, encode
from .manifest import FORMAT, Manifest, as_json, check_libraries, versions

#: beyond what skops trusts by itself: the compiled parts of estimators that mlcore uses
TRUSTED = frozenset(
    {
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.metrics._dist_metrics.EuclideanDistance32",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neighbors._ball_tree.BallTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
    }
)
#: what fitted estimators consist of; skops knows more (functions, methods, operators), which are not needed and refused
LOADERS = frozenset(
    {
        "ObjectNode", "DictNode", "JsonNode", "NdArrayNode", "ListNode", "TypeNode", "TupleNode", "SetNode",
        "RandomStateNode", "RandomGeneratorNode", "LossNode", "TreeNode", "DefaultDictNode", "SliceNode",
        "SparseMatrixNode", "MaskedArrayNode", "DTypeNode",
    }
)  # fmt: skip


#: hashes of estimators that this process has looked through, so that none is looked through twice
_harmless: set[str] = set()
REMEMBERED = 1_000


def save(
    model: Any,
    folder: str | os.PathLike[str],
    *,
    metrics: dict[str, Any] | None = None,
    guarantee: dict[str, Any] | None = None,
    lineage: dict[str, Any] | None = None,
    fingerprint: str = "",
    classes: Sequence[type] = (),
) -> Manifest:
    """Write a detector, system model or any other object of mlcore into a new folder.

    Parameters
    ----------
    folder : must not exist yet; its parent must. It appears complete or not at all.
    metrics, guarantee, lineage, fingerprint : for the manifest; taken from the model's `metrics_`, `guarantee_`,
        `lineage_` and `fingerprint_` where it has them and they are not given.
    classes : your own classes, outside mlcore, that may be stored; `load` needs the same.

    Returns the manifest with its `digest`. Raises ArtifactError when the folder exists and ArtifactUnsafe when the
    model holds something that could not be loaded safely.
    """
    target = Path(folder)
    if os.path.lexists(target):
        raise ArtifactError(f"{target} exists; an artifact is never overwritten, choose another folder.")
    contents = _contents(model, Parts(classes={class_name(one): one for one in classes}))
    manifest = Manifest(
        format=FORMAT,
        kind=f"{type(model).__module__}:{type(model).__qualname__}",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        libraries=versions(),
        files={name: {"sha256": _hash(content), "bytes": len(content)} for name, content in contents.items()},
        config=_config(model),
        metrics=as_json(metrics if metrics is not None else getattr(model, "metrics_", {})),
        guarantee=as_json(guarantee if guarantee is not None else getattr(model, "guarantee_", {})),
        lineage=as_json(lineage if lineage is not None else getattr(model, "lineage_", {})),
        fingerprint=fingerprint or str(getattr(model, "fingerprint_", "")),
    )
    _write({**contents, "manifest.json": manifest.as_bytes()}, target)
    return Manifest.from_bytes(manifest.as_bytes())


def read_manifest(folder: str | os.PathLike[str], *, digest: str | None = None) -> Manifest:
    """The manifest of an artifact, nothing else being opened. With `digest` it must be the one that was saved."""
    content = _read(Path(folder), "manifest.json")
    if digest is not None and _hash(content) != digest:
        raise ArtifactChanged(
            f"{folder}: the manifest is not the one that was saved; restore the folder, or train the model again."
        )
    return Manifest.from_bytes(content)


def load(
    folder: str | os.PathLike[str],
    *,
    digest: str | None = None,
    classes: Sequence[type] = (),
    known: Mapping[str, Any] | None = None,
) -> Any:
    """The model in a folder; `digest` that of its manifest, `classes` your own ones that may be loaded.

    known : models that were loaded before, by the digest of their manifest. Of one of them every file is checked, and
        none is read again, which is what takes the time.

    Raises ArtifactChanged, ArtifactUnsafe or ArtifactIncompatible, each saying what to do.
    """
    place = Path(folder)
    manifest = read_manifest(place, digest=digest)
    check_libraries(manifest.libraries, manifest.files)
    extra = {entry.name for entry in os.scandir(place)} - {"manifest.json", *manifest.files}
    if extra:
        raise ArtifactUnsafe(f"{place} holds {', '.join(sorted(extra))}, of which the manifest knows nothing.")
    contents = {}
    for name, entry in manifest.files.items():
        content = _read(place, name)
        if len(content) != entry["bytes"] or _hash(content) != entry["sha256"]:
            raise ArtifactChanged(f"{place / name} is not the file that was saved; restore it, or train again.")
        contents[name] = content
    if known is not None and manifest.digest in known:
        return known[manifest.digest]
    try:
        return _model(contents, Parts(classes={class_name(one): one for one in classes}))
    except ArtifactError:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, zipfile.BadZipFile, RecursionError) as problem:
        raise ArtifactIncompatible(
            f"{place} cannot be understood ({type(problem).__name__}: {problem}); train the model again."
        ) from problem


def _contents(model: Any, parts: Parts) -> dict[str, bytes]:
    state = encode(model, parts)
    contents = {"state.json": json.dumps(state, allow_nan=False).encode()}
    if parts.arrays:
        buffer = io.BytesIO()
        np.savez(buffer, **parts.arrays)  # type: ignore[arg-type]  # keys are a0, a1 …, never the flag of savez
        contents["arrays.npz"] = buffer.getvalue()
    if parts.tensors:
        from safetensors.torch import save as save_tensors

        contents["tensors.safetensors"] = save_tensors(parts.tensors)
    for key, estimator in parts.estimators.items():
        content = _skops().dumps(estimator)
        _check_estimator(content, key)
        contents[f"{key}.skops"] = content
    return contents


def _model(contents: dict[str, bytes], parts: Parts) -> Any:
    for name, content in contents.items():
        key, _, kind = name.rpartition(".")
        if kind == "npz":
            parts.arrays = _arrays(content)
        elif kind == "safetensors":
            from safetensors.torch import load as load_tensors

            parts.tensors = load_tensors(content)
        elif kind == "skops":
            _check_estimator(content, key)
            parts.estimators[key] = _skops().loads(content, trusted=sorted(TRUSTED))
    return decode(json.loads(contents["state.json"]), parts)


def _skops() -> Any:
    """skops, loaded when an estimator is: who only reads manifests shall not pay for that.

    It walks through all of scikit-learn, one package of which imports torch to offer it to others: a second and two
    hundred megabytes for nothing. So where torch is not loaded yet, it is not to be had meanwhile.
    """
    if "skops.io" not in sys.modules and "torch" not in sys.modules:
        sys.modules["torch"] = None  # type: ignore[assignment]  # how Python writes that a module cannot be imported
        try:
            import skops.io
        finally:
            del sys.modules["torch"]
    import skops.io

    return skops.io


def _arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ArtifactUnsafe("arrays.npz is compressed; ours are not, as a small file could fill the memory.")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _check_estimator(content: bytes, name: str) -> None:
    """Only types on the list, and only the kinds of node that a fitted estimator is made of."""
    if (hashed := _hash(content)) in _harmless:
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise ArtifactUnsafe(f"{name} is compressed; ours are not, as a small file could fill the memory.")
        nodes = _loaders(json.loads(archive.read("schema.json")))
    foreign = sorted(nodes - LOADERS) or sorted(set(_skops().get_untrusted_types(data=content)) - TRUSTED)
    if foreign:
        raise ArtifactUnsafe(f"{name} holds {', '.join(foreign)}, which could run code; it is not loaded.")
    if len(_harmless) >= REMEMBERED:
        _harmless.clear()
    _harmless.add(hashed)


def _loaders(node: Any) -> set[str]:
    found: set[str] = set()
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            if "__loader__" in current:
                found.add(str(current["__loader__"]))
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)
    return found


def _config(model: Any) -> dict[str, Any]:
    config = getattr(model, "config", None)
    if is_dataclass(config) and not isinstance(config, type):
        return dict(as_json(asdict(config)))
    return dict(as_json(model.get_params(deep=False))) if isinstance(model, BaseEstimator) else {}


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(folder: Path, name: str) -> bytes:
    """The bytes of a regular file in the folder; hashed and parsed from memory, so nobody can swap it in between."""
    try:
        handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise ArtifactChanged(f"{folder / name} is missing; restore it, or train the model again.") from None
    except OSError as problem:
        raise ArtifactUnsafe(f"{folder / name} cannot be opened as a plain file ({problem.strerror}).") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise ArtifactUnsafe(f"{folder / name} is not a plain file.")
    with os.fdopen(handle, "rb") as file:
        return file.read()


def _write(contents: dict[str, bytes], target: Path) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
    try:
        for name, content in contents.items():
            with (partial / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        partial.chmod(0o755)
        try:
            partial.rename(target)
        except OSError:
            raise ArtifactError(f"{target} appeared meanwhile; an artifact is never overwritten.") from None
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
