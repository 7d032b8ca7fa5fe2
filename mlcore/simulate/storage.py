"""A world as a folder of Parquet files with a manifest, written run by run so that a year of any length fits in memory.

| file | one row per |
|---|---|
| `lumisections.parquet` | lumisection: conditions, beam, magnets, dead time, dose, drift step per system |
| `runs.parquet` `fills.parquet` `split.parquet` | run, fill, run with its part |
| `defects.parquet` `drift.parquet` `flags.parquet` | defect and run, step of drift, line that somebody wrote |
| `labels.parquet` | system and lumisection: truth, family, strength, first, second and confirmed label |
| `histograms/<element>.parquet` | lumisection: what `mlcore.readers.parquet.read_parquet` reads |
| `rates.parquet` | lumisection: a column per trigger |
| `manifest.json` | written last: seed, version, and of every file its size and SHA-256 |

The same seed gives the same bytes, with the same versions of numpy and pyarrow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.errors import MlcoreError
from mlcore.histograms import HistogramBlock

from .drift import KINDS
from .elements import SYSTEMS
from .families import FAMILIES
from .rates import ELEMENT as RATES
from .world import PARTS, World

FORMAT = 1
Progress = Callable[[int, int], None]


def write(
    world: World, folder: Path, *, elements: Sequence[str] | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Write a world into an empty or new folder and return its manifest.

    elements : names of those whose histograms are written; all when None. progress : called with (runs written, runs in
    all). Raises MlcoreError when the folder holds anything, or for an element that there is not.
    """
    unknown = set(elements or ()) - set(world.elements)
    if unknown:
        raise MlcoreError(f"there is no element {', '.join(sorted(unknown))}; there are {', '.join(world.elements)}.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise MlcoreError(f"{folder} is not empty; name a new folder, or empty that one yourself.")
    (folder / "histograms").mkdir(parents=True, exist_ok=True)
    _write_facts(world, folder)
    _write_labels(world, folder / "labels.parquet")
    _write_histograms(world, folder, list(world.elements if elements is None else elements), progress)
    manifest = _manifest(world, folder)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return manifest


def file_of(element: str) -> str:
    """Name of an element's file within the folder."""
    return f"histograms/{element.replace('/', '__')}.parquet"


def _save(path: Path, columns: dict[str, Any]) -> None:
    pq.write_table(pa.table(columns), path, compression="zstd")


def _write_facts(world: World, folder: Path) -> None:
    year = world.year
    columns: dict[str, Any] = year.columns()
    for system, drift in world.drift.items():
        columns[f"drift_{system}"] = pa.DictionaryArray.from_arrays(drift.kind.astype(np.int8), list(KINDS))
    _save(folder / "lumisections.parquet", columns)
    _save(folder / "runs.parquet", {column.name: getattr(year.runs, column.name) for column in fields(year.runs)})
    _save(folder / "fills.parquet", {column.name: getattr(year.fills, column.name) for column in fields(year.fills)})
    part = np.full(len(year.runs), "none", dtype=object)
    for name in PARTS:
        part[np.unique(year.run_place[world.split[name]])] = name
    _save(folder / "split.parquet", {"run": year.runs.number, "part": part.tolist()})
    pieces = [
        {
            "defect": defect.number, "family": defect.family.name, "system": defect.family.system,
            "strength": defect.strength, "intolerable": defect.family.intolerable, "unseen": defect.family.unseen,
            "duration": defect.duration, "run": int(year.runs.number[place]), "first": first, "last": last,
        }
        for defect in world.defects
        for place, first, last in defect.pieces(year)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(pieces), folder / "defects.parquet", compression="zstd")
    steps = [step._asdict() for system in SYSTEMS for step in world.drift[system].steps]
    pq.write_table(pa.Table.from_pylist(steps), folder / "drift.parquet", compression="zstd")
    flags = [
        {"run": int(year.runs.number[flag.run_place]), **flag._asdict()}
        for system in SYSTEMS
        for flag in world.labels[system].flags
    ]
    pq.write_table(
        pa.Table.from_pylist(flags).drop_columns(["run_place"]), folder / "flags.parquet", compression="zstd"
    )


def _write_labels(world: World, path: Path) -> None:
    """One row group per system."""
    names = [family.name for family in FAMILIES]
    writer = None
    for system in SYSTEMS:
        truth, labels = world.truth[system], world.labels[system]
        family = pa.array(truth.family, type=pa.int8(), mask=truth.family < 0)
        table = pa.table(
            {
                "run": world.conditions.run,
                "lumisection": world.conditions.lumisection,
                "system": [system] * len(world.year),
                "truth": truth.bad.astype(np.int8),
                "family": pa.DictionaryArray.from_arrays(family, names),
                "strength": truth.strength,
                "first": labels.first.astype(np.int8),
                "second": labels.second.astype(np.int8),
                "confirmed": labels.confirmed.astype(np.int8),
                "available": labels.available,
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    writer.close()


def _write_histograms(world: World, folder: Path, elements: Sequence[str], progress: Progress | None) -> None:
    """Every element of one run, then the next run: memory does not grow with the year."""
    writers: dict[str, Any] = {}
    total = len(world.year.runs)
    try:
        for place in range(total):
            for name in elements:
                table = _block_table(world.block(name, [place]))
                if name not in writers:
                    writers[name] = _counts_writer(folder / file_of(name), table.schema)
                writers[name].write_table(table)
            rates = world.rates([place])
            columns = {"run": rates.conditions.run, "lumisection": rates.conditions.lumisection}
            table = pa.table({**columns, **dict(zip(rates.names, rates.values.T, strict=True))})
            if RATES not in writers:
                writers[RATES] = pq.ParquetWriter(folder / "rates.parquet", table.schema, compression="zstd")
            writers[RATES].write_table(table)
            if progress:
                progress(place + 1, total)
    finally:
        for writer in writers.values():
            writer.close()


def _counts_writer(path: Path, schema: Any) -> Any:
    # Differences of neighbouring counts are small numbers: packed by bits they take a quarter of the room.
    packed = {"counts.list.element": "DELTA_BINARY_PACKED"}
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=["element"], column_encoding=packed)


def _block_table(block: HistogramBlock) -> Any:
    """One row per lumisection, in the format of `mlcore.readers.parquet`."""
    assert block.flow is not None
    n, known = len(block), block.conditions
    lists = {
        "counts": _lists(block.flat.astype(np.int32), pa.int32()),
        "flow": _lists(block.flow.reshape(n, -1).astype(np.int32), pa.int32()),
    }
    element = pa.DictionaryArray.from_arrays(np.zeros(n, dtype=np.int32), [block.element])
    columns = {"element": element, "run": known.run, "lumisection": known.lumisection, **lists}
    columns |= {name: getattr(known, name) for name in ("luminosity", "pileup", "events", "time")}
    axes = [
        {
            "name": axis.name, "label": axis.label, "unit": axis.unit, "circular": axis.circular,
            "edges": axis.edges.tolist(),
        }
        for axis in block.axes
    ]  # fmt: skip
    facts = {"axes": {block.element: axes}, "physics_objects": {block.element: block.physics_object}}
    return pa.table(columns).replace_schema_metadata({name: json.dumps(value) for name, value in facts.items()})


def _lists(values: npt.NDArray[Any], kind: Any) -> Any:
    """A column of lists of equal length."""
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).ravel()), values.shape[1])
    return lists.cast(pa.list_(kind))


def _manifest(world: World, folder: Path) -> dict[str, Any]:
    year = world.year
    files = {}
    for path in sorted(folder.rglob("*.parquet")):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        files[path.relative_to(folder).as_posix()] = {"bytes": path.stat().st_size, "sha256": digest}
    return {
        "format": FORMAT,
        "made_by": "mlcore.simulate",
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
        "size": year.size,
        "seed": year.seed,
        "prevalence": world.prevalence,
        "lumisection_seconds": year.lumisection_seconds,
        "runs": len(year.runs),
        "lumisections": len(year),
        "physics_lumisections": int(year.physics.sum()),
        "bad_share_of_physics": _share(world),
        "parts": {name: int(world.split[name].sum()) for name in PARTS},
        "systems": list(SYSTEMS),
        "families": {
            family.name: {
                "system": family.system, "spoils": list(family.spoils), "intolerable": family.intolerable,
                "unseen": family.unseen, "visible": list(family.visible), "description": family.description,
            }
            for family in FAMILIES
        },
        "elements": {
            name: {"system": element.system, "file": file_of(name)}
            for name, element in world.elements.items()
            if file_of(name) in files
        },
        "files": files,
    }  # fmt: skip


def _share(world: World) -> float:
    bad: npt.NDArray[np.bool_] = world.truth["GLOBAL"].bad[world.year.physics]
    return round(float(bad.mean()), 6)
