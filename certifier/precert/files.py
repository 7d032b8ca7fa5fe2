"""The files of a model in the storage: written once, and read only when they are what was registered.

mlcore's artifacts need scikit-learn, so they are imported where they are used: pages must start without it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from .errors import ModelUnusable
from .models import ModelVersion

if TYPE_CHECKING:
    from mlcore.artifacts import Manifest

MANIFEST: Final = "manifest.json"
# The models that this process used last, by digest: a worker scores runs of a few systems in turn.
KEPT: Final = 4
_loaded: OrderedDict[str, Any] = OrderedDict()


def read_folder(folder: Path, digest: str | None = None) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the bytes of every file of an artifact that loads and can score.

    Raises ArtifactChanged, ArtifactUnsafe or ArtifactIncompatible (`mlcore.errors`), each saying what to do.
    """
    from mlcore.artifacts import load, read_manifest
    from mlcore.errors import ArtifactChanged, ArtifactIncompatible

    manifest = read_manifest(folder, digest=digest)
    model = load(folder, digest=manifest.digest)
    if not callable(getattr(model, "score", None)):
        raise ArtifactIncompatible(f"{folder} holds a {manifest.kind}, which scores nothing; register a system model.")
    content = {name: (folder / name).read_bytes() for name in (MANIFEST, *manifest.files)}
    hashes = {MANIFEST: manifest.digest} | {name: entry["sha256"] for name, entry in manifest.files.items()}
    for name, expected in hashes.items():
        if hashlib.sha256(content[name]).hexdigest() != expected:
            raise ArtifactChanged(f"{folder / name} was changed while it was read; register the folder again.")
    _keep(manifest.digest, model)
    return manifest, content


def save(version: ModelVersion, content: dict[str, bytes]) -> list[str]:
    """Lay the files of a new version into the storage; the names that were written. Undone when one fails."""
    written: list[str] = []
    try:
        for name, data in content.items():
            path = f"{version.folder}/{name}"
            # The number is new, so whatever lies there was left by a registration that broke off.
            default_storage.delete(path)
            saved = default_storage.save(path, ContentFile(data))
            written.append(saved)
            if saved != path:
                raise ModelUnusable(version, version.folder, f"{path} is taken by something else.")
    except BaseException:
        remove(written)
        raise
    return written


def remove(names: list[str]) -> None:
    for name in names:
        with suppress(OSError):
            default_storage.delete(name)


@contextmanager
def fetched(version: ModelVersion) -> Iterator[Path]:
    """A folder with the files of a version, for as long as the block lasts. Raises ModelUnusable."""
    with tempfile.TemporaryDirectory(prefix="certifier-model-") as place:
        folder = Path(place) / "model"
        folder.mkdir()
        for name in (MANIFEST, *version.manifest["files"]):
            try:
                with default_storage.open(f"{version.folder}/{name}") as file:
                    (folder / name).write_bytes(file.read())
            except OSError as error:
                raise ModelUnusable(version, version.folder, f"{name} cannot be read ({error.strerror}).") from error
        yield folder


def load(version: ModelVersion) -> Any:
    """The model of a version, unchanged since it was registered. Raises ModelUnusable.

    Its files are read and checked each time; what is made of them is kept for the next time. Who gets it changes
    nothing in it.
    """
    from mlcore import artifacts
    from mlcore.errors import ArtifactError

    with fetched(version) as folder:
        try:
            model = artifacts.load(folder, digest=version.digest, known=_loaded)
        except ArtifactError as error:
            why = str(error).replace(f"{folder}/", "").replace(str(folder), "the folder")
            raise ModelUnusable(version, version.folder, f"{why[:1].upper()}{why[1:]}.".replace("..", ".")) from error
    _keep(version.digest, model)
    return model


def _keep(digest: str, model: Any) -> None:
    _loaded[digest] = model
    _loaded.move_to_end(digest)
    while len(_loaded) > KEPT:
        _loaded.popitem(last=False)
