"""What a file holds of histograms, written in one unit: all of it or nothing. Which format it has, its content says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.audit.unit import unit_of_work
from certifier.runs import services as runs
from certifier.runs.importers import FileRefused, Progress
from certifier.runs.models import Dataset, Run
from mlcore.errors import MlcoreError, UnreadableFile
from mlcore.histograms import HistogramBlock

from . import files, parquet_body, services
from .errors import HistogramsRefused
from .services import Ingested

PARQUET, HDF5, CSV, ROOT = "Parquet", "HDF5 maps", "ML4DQM CSV", "ROOT"
BEGINNINGS: Final = {b"PAR1": PARQUET, b"\x89HDF": HDF5, b"root": ROOT}
# What a dataset is called that neither the file nor the command names, of a run that has none.
UNNAMED: Final = "imported"
_NUMBERS_PER_QUERY: Final = 10_000


@dataclass(frozen=True)
class Imported:
    """The content of a file: its blocks by run."""

    format: str
    blocks: dict[int, list[HistogramBlock]]


@dataclass(frozen=True)
class ImportOutcome:
    created_runs: int = 0
    ingested: list[Ingested] = field(default_factory=list)

    @property
    def histograms(self) -> int:
        return sum(one.histograms for one in self.ingested)

    @property
    def unchanged(self) -> int:
        return sum(one.unchanged for one in self.ingested)

    @property
    def new_elements(self) -> set[str]:
        return {path for one in self.ingested for path in one.new_elements}


class _DryRun(Exception):
    """Carries the outcome out of a unit that is to be rolled back."""

    def __init__(self, outcome: ImportOutcome) -> None:
        self.outcome = outcome


def read_file(path: Path, progress: Progress, *, run: int | None = None) -> Imported:
    """The histograms of a file. `run` is that of files that name none; of others only this run is taken.

    Raises FileRefused naming line and reason.
    """
    format_ = _format(path)
    if format_ == PARQUET:
        try:
            parquet_body.check(path)
        except HistogramsRefused as error:
            raise FileRefused(error.message) from None
    pieces: list[HistogramBlock] = []
    done = 0
    try:
        for piece in _reader(format_)(path, run):
            pieces.append(piece)
            done += len(piece)
            progress(done, done, "histograms read")
    except UnreadableFile as error:
        raise FileRefused(error.reason, line=error.line) from None
    except MlcoreError as error:
        raise FileRefused(str(error)) from None
    blocks = _by_run(pieces)
    if run is not None:
        blocks = {number: found for number, found in blocks.items() if number == run}
        if not blocks:
            raise FileRefused(f"there is no histogram of run {run} in it.")
    return Imported(format_, blocks)


def _format(path: Path) -> str:
    try:
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise FileRefused(f"it cannot be read ({error.strerror}).") from None
    for beginning, format_ in BEGINNINGS.items():
        if start.startswith(beginning):
            return format_
    header = start.split(b"\n", 1)[0].lower()
    if b"lumi" in header and b"hname" in header:
        return CSV
    raise FileRefused(f"it is none of the known formats ({PARQUET}, {HDF5}, {CSV}, {ROOT}).")


def _reader(format_: str) -> Callable[[Path, int | None], Iterable[HistogramBlock]]:
    # With these come h5py and more of pyarrow than a page needs.
    from mlcore import readers

    if format_ == HDF5:
        return lambda path, run: readers.iterate_hdf5_maps(path, run=run)
    if format_ == ROOT:
        return lambda path, run: readers.read_root(path, run=run)
    if format_ == CSV:
        return lambda path, _: (piece.block for piece in readers.iterate_ml4dqm_csv(path))
    return lambda path, run: readers.iterate_parquet(path, run=None if _has_runs(path) else run)


def _has_runs(path: Path) -> bool:
    import pyarrow.parquet as pq

    return "run" in pq.read_schema(path).names


def _by_run(pieces: Iterable[HistogramBlock]) -> dict[int, list[HistogramBlock]]:
    """Pieces by run, those of one element and run joined where they can be; what cannot, the service names."""
    found: dict[int, dict[str, list[HistogramBlock]]] = {}
    for piece in pieces:
        for run in np.unique(piece.conditions.run).tolist():
            mine = piece if (piece.conditions.run == run).all() else piece.select(piece.conditions.run == run)
            found.setdefault(run, {}).setdefault(piece.element, []).append(mine)
    return {run: [part for parts in elements.values() for part in parts] for run, elements in sorted(found.items())}


def import_file(
    *,
    actor: User | None,
    imported: Imported,
    dataset: str,
    source: str,
    progress: Progress,
    create_runs: bool = False,
    dry_run: bool = False,
) -> ImportOutcome:
    """Write everything that `imported` holds; coordinators. With `dry_run` it is done and taken back.

    With `create_runs` a run that is not known is made, and one that is too short lengthened. Raises FileRefused naming
    the run that cannot be written.
    """
    ingested: list[Ingested] = []
    try:
        with unit_of_work(actor) as unit:
            permissions.require(permissions.can_write_runs(actor))
            try:
                made = _runs(actor, imported, create_runs)
                for done, (run, blocks) in enumerate(imported.blocks.items()):
                    progress(done, len(imported.blocks), "runs written")
                    ingested.append(_ingest(actor, run, dataset, blocks, dry_run))
            except BaseException:
                # The rows are about to be rolled back, under the locks of their runs.
                for one in ingested:
                    files.remove(one.saved)
                raise
            outcome = ImportOutcome(made, ingested)
            if outcome.histograms and not dry_run:
                data = {"format": imported.format, "runs": len(imported.blocks), "histograms": outcome.histograms}
                unit.audit("monitoring.import_file", source, data)
            if dry_run:
                raise _DryRun(outcome)
    except _DryRun as dry:
        return dry.outcome
    return outcome


def _runs(actor: User | None, imported: Imported, create: bool) -> int:
    """Make or lengthen the runs that need it; how many. Raises FileRefused when that was not asked for."""
    wanted = {run: max(int(block.conditions.lumisection.max()) for block in found) for run, found in _filled(imported)}
    known: dict[int, int] = {}
    numbers = list(wanted)
    for start in range(0, len(numbers), _NUMBERS_PER_QUERY):
        part = Run.objects.filter(number__in=numbers[start : start + _NUMBERS_PER_QUERY])
        known |= dict(part.values_list("number", "last_lumisection"))
    short = [run for run, last in wanted.items() if known.get(run, 0) < last]
    if short and not create:
        run = short[0]
        what = f"ends at lumisection {known[run]}, the file has {wanted[run]}" if run in known else "is not known"
        others = f", nor do {len(short) - 1:,} others fit" if len(short) > 1 else ""
        raise FileRefused(f"run {run} {what}{others}. Import the runs first, or add --create-runs.")
    for start in range(0, len(short), runs.MOST_RUNS):
        part_ = short[start : start + runs.MOST_RUNS]
        try:
            runs.put_runs(actor=actor, runs=[{"run": run, "lumisections": wanted[run]} for run in part_])
        except CertifierError as error:
            raise FileRefused(f"run {part_[error.errors[0].get('index', 0)]}: {error.message}") from None
    return len(short)


def _filled(imported: Imported) -> Iterable[tuple[int, list[HistogramBlock]]]:
    return ((run, [block for block in blocks if len(block)]) for run, blocks in imported.blocks.items())


def _ingest(actor: User | None, run: int, dataset: str, blocks: list[HistogramBlock], dry_run: bool) -> Ingested:
    try:
        name = dataset or _dataset(run)
        return services.ingest(actor=actor, run=run, dataset=name, blocks=blocks, dry_run=dry_run)
    except FileRefused:
        raise
    except CertifierError as error:
        raise FileRefused(f"run {run}: {error.message}") from None


def _dataset(run: int) -> str:
    """The only dataset of a run. Raises FileRefused where there are several."""
    names = list(Dataset.objects.filter(run__number=run).order_by("name").values_list("name", flat=True)[:10])
    if len(names) > 1:
        raise FileRefused(f"run {run} has the datasets {', '.join(names)}. Say which with --dataset.")
    return names[0] if names else UNNAMED
