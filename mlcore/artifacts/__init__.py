"""A model is a folder: a manifest, arrays, tensors, scikit-learn estimators. Nothing in it can run code when loaded.

>>> from mlcore.artifacts import load, save
>>> manifest = save(model, folder, metrics={"auc": 0.99})  # doctest: +SKIP
>>> model = load(folder, digest=manifest.digest)  # doctest: +SKIP

- Written at once: into a folder beside, which is then renamed. An artifact is never overwritten.
- Never pickle. Arrays are `.npz` read without pickle, tensors `.safetensors`, scikit-learn estimators skops with an
  explicit list of types, everything else JSON that can only name classes of mlcore.
- Every file has its hash in the manifest. The manifest has a digest, which who keeps the model should keep elsewhere
  (Certifier: in the database): whoever can write the folder can write a manifest to match.
- Refused: changed, missing or extra files, links, names with a path (ArtifactChanged, ArtifactUnsafe), another major
  version of the format or of scikit-learn, classes that are not known here (ArtifactIncompatible).

What is saved: instances of mlcore's classes by walking through their attributes (detectors, references, calibrators,
policies, system models). A class that holds something else offers `to_state() -> dict` and `from_state(state)`, which
sets the attributes of an instance that has its parameters already.
"""

from __future__ import annotations

from .folder import load, read_manifest, save
from .manifest import FORMAT, Manifest

__all__ = ["FORMAT", "Manifest", "load", "read_manifest", "save"]
