"""The manifest of an artifact: which files, by which version, and what is known of the model."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import re
import sys
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from typing import Any

import numpy as np

from mlcore.errors import ArtifactChanged, ArtifactIncompatible, ArtifactUnsafe

MAJOR, MINOR = 1, 0
FORMAT = f"{MAJOR}.{MINOR}"
LIBRARIES = ("numpy", "scipy", "scikit-learn", "skops", "safetensors")
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,60}\.(json|npz|skops|safetensors)")


@dataclass(frozen=True)
class Manifest:
    """What stands in `manifest.json`.

    Parameters
    ----------
    format : version of the format, `major.minor`; another major is refused.
    kind : class of the model.
    created : UTC time of writing.
    libraries : versions of Python and of the libraries that wrote it.
    files : per file its sha256 and number of bytes.
    config, metrics, guarantee, fingerprint, lineage : what the model says of itself, as JSON.
    digest : sha256 of the manifest itself; not stored in it.
    """

    format: str
    kind: str
    created: str
    libraries: dict[str, str]
    files: dict[str, dict[str, Any]]
    config: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    guarantee: dict[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    lineage: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    def as_bytes(self) -> bytes:
        stored = {name: value for name, value in asdict(self).items() if name != "digest"}
        return (json.dumps(stored, indent=1, sort_keys=True, allow_nan=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Manifest:
        """Raises ArtifactChanged when it cannot be read, ArtifactIncompatible when another major version wrote it."""
        try:
            stored = json.loads(content)
            version = stored["format"]
            if not isinstance(version, str):
                raise TypeError("format is no text")
        except (ValueError, KeyError, TypeError, RecursionError) as problem:
            raise ArtifactChanged(f"manifest.json cannot be read ({problem}); train the model again.") from problem
        if version.split(".")[0] != str(MAJOR):
            raise ArtifactIncompatible(
                f"the artifact has format {version}, this mlcore reads {MAJOR}.x; "
                "train the model again, or use the mlcore that wrote it."
            )
        known = {column.name for column in fields(cls)} - {"digest"}
        try:
            manifest = cls(
                **{name: value for name, value in stored.items() if name in known},
                digest=hashlib.sha256(content).hexdigest(),
            )
            manifest._check_names()
        except (TypeError, AttributeError, KeyError) as problem:
            raise ArtifactChanged(f"manifest.json is not a manifest ({problem}); train the model again.") from problem
        return manifest

    def _check_names(self) -> None:
        for name, entry in self.files.items():
            if not FILE_NAME.fullmatch(name) or name == "manifest.json":
                raise ArtifactUnsafe(f"the manifest names a file {name!r}; files lie in the folder itself.")
            if not (isinstance(entry["sha256"], str) and isinstance(entry["bytes"], int)):
                raise TypeError(f"hash and size of {name}")


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries in use; torch only when it has been loaded."""
    names = (*LIBRARIES, *(("torch",) if "torch" in sys.modules else ()))
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def check_libraries(libraries: dict[str, str], files: dict[str, Any]) -> None:
    """Fitted estimators are only readable by the minor version of scikit-learn that wrote them."""
    if not any(name.endswith(".skops") for name in files):
        return
    wrote, here = str(libraries.get("scikit-learn")), metadata.version("scikit-learn")
    if wrote.split(".")[:2] != here.split(".")[:2]:
        raise ArtifactIncompatible(
            f"the artifact holds estimators of scikit-learn {wrote}, here is {here}; train the model again."
        )


def as_json(value: Any) -> Any:
    """The value in JSON's words, for people to read: numbers that are none become null, the unknown becomes text."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): as_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(part) for part in value]
    return str(value)
