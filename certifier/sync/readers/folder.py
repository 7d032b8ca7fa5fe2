"""A folder into which another program drops files: every format of `import_runs`, each new or changed file once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from certifier.runs.importers import FileRefused, Progress, read_file
from certifier.sync.errors import SourceFailed
from certifier.sync.sources import Batch

# A file that changed a moment ago may still be written.
SETTLED_AFTER_S: Final = 2.0


class FolderReader:
    """The cursor holds the SHA-256 of every file by name, so a file that was only touched is not read again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, cursor: Mapping[str, Any], again: list[str], progress: Progress) -> Iterator[Batch]:
        known: dict[str, str] = dict(cursor.get("files", {}))
        try:
            paths = sorted(path for path in self.folder.iterdir() if path.is_file() and not path.name.startswith("."))
        except OSError as error:
            raise SourceFailed(f"{self.folder} cannot be read: {error.strerror}.") from error
        for done, path in enumerate(paths):
            progress(done, len(paths), "files")
            if time.time() - path.stat().st_mtime < SETTLED_AFTER_S:
                continue
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if known.get(path.name) == digest and path.name not in again:
                continue
            known[path.name] = digest
            yield self._batch(path, {"files": dict(known)}, progress)

    def _batch(self, path: Path, cursor: Mapping[str, Any], progress: Progress) -> Batch:
        try:
            return Batch(path.name, read_file(path, progress), cursor)
        except FileRefused as refusal:
            return Batch(path.name, None, cursor, str(refusal))
