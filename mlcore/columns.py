"""Any table of numbers: read from ROOT, Parquet or CSV, mixed into samples, written back with what models say of it."""

# ruff: noqa: N806  # X is what scikit-learn calls it
from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import uproot

from .conditions import FloatArray, IntArray
from .errors import MlcoreError, ShapeError, TooFewData, UnreadableFile

Columns = dict[str, npt.NDArray[Any]]
SOURCE, DECISION, PROBABILITY = "source", "decision", "probability_"


def read_columns(path: str | Path, *, tree: str | None = None) -> Columns:
    """The columns of a file by name, (n,) each: numbers, NaN where a number is missing.

    `.root`: a TTree or RNTuple, the only one or that named `tree`; its branches with one number per entry. `.parquet`
    and `.csv` (comma, a header): columns of numbers. Raises UnreadableFile, MlcoreError for another kind of file.
    """
    file = Path(path)
    readers = {".root": _from_root, ".parquet": _from_parquet, ".csv": _from_csv}
    if file.suffix not in readers:
        raise MlcoreError(f"{file.name}: tables are read from .root, .parquet and .csv files.")
    try:
        found = readers[file.suffix](file, tree)
    except MlcoreError:
        raise
    except (OSError, ValueError, pa.ArrowException, uproot.exceptions.KeyInFileError) as problem:
        raise UnreadableFile(file, None, str(problem).split("\n", maxsplit=1)[0] or type(problem).__name__) from problem
    if not found:
        raise UnreadableFile(file, None, "there is no column of numbers.")
    return found


def _from_root(file: Path, tree: str | None) -> Columns:
    with uproot.open(file) as stream:
        names = [name for name, kind in stream.classnames(cycle=False).items() if kind in ("TTree", "ROOT::RNTuple")]
        if tree is None and len(set(names)) != 1:
            raise UnreadableFile(file, None, f"name one of its trees: {', '.join(sorted(set(names))) or 'none'}.")
        entries = stream[tree or names[0]]
        arrays = {name: entries[name].array(library="np") for name in entries.keys()}  # noqa: SIM118  # no mapping
    return {name: array for name, array in arrays.items() if array.ndim == 1 and array.dtype.kind in "biuf"}


def _from_parquet(file: Path, _: str | None) -> Columns:
    table = pq.read_table(file)
    return {
        name: table.column(name).to_numpy()
        for name in table.column_names
        if pa.types.is_floating(table.schema.field(name).type) or pa.types.is_integer(table.schema.field(name).type)
    }


def _from_csv(file: Path, _: str | None) -> Columns:
    with file.open(newline="") as stream:
        rows = list(csv.reader(stream))
    if not rows:
        raise UnreadableFile(file, 1, "the file is empty.")
    header = rows[0]
    if len(set(header)) != len(header):
        raise UnreadableFile(file, 1, "two columns have the same name.")
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(header):
            raise UnreadableFile(file, line, f"{len(row)} cells, the header has {len(header)}.")
    found: Columns = {}
    for place, name in enumerate(header):
        cells = [row[place].strip() for row in rows[1:]]
        try:
            found[name] = np.array([float(cell) if cell else np.nan for cell in cells])
        except ValueError:
            continue
    return found


@dataclass(frozen=True, eq=False)
class Sample:
    """`X` (n, f) by `names`; `y` (n,) class; `source` (n,) name of the source of each row."""

    X: FloatArray
    y: IntArray
    source: npt.NDArray[np.str_]
    names: tuple[str, ...]


def mixed(
    sources: Mapping[str, tuple[Columns, int]],
    names: Sequence[str],
    *,
    rows: Mapping[str, int] | None = None,
    test: float = 0.3,
    groups: str | None = None,
    random_state: int = 0,
) -> tuple[Sample, Sample]:
    """A training and a test sample mixed from sources, such as simulation for one class and data for the other.

    Parameters
    ----------
    sources : by name, columns and the class of their rows.
    names : columns that are features, which every source must have.
    rows : how many rows of a source are taken at random; all without.
    test : share of the test sample.
    groups : a column (the run, say) whose rows stay on one side together.
    random_state : of what is drawn.

    Raises MlcoreError for columns that are missing, TooFewData for an empty side.
    """
    rng = np.random.default_rng(random_state)
    parts: list[list[Any]] = [[], []]
    for source, (columns, label) in sources.items():
        lacking = [name for name in (*names, *([groups] if groups else [])) if name not in columns]
        if lacking:
            raise MlcoreError(f"source {source} has no column {', '.join(lacking)}.")
        X = np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in names])
        chosen = rng.permutation(len(X))[: (rows or {}).get(source, len(X))]
        unit = np.asarray(columns[groups])[chosen] if groups else np.arange(len(chosen))
        known = np.unique(unit)
        held = np.isin(unit, rng.permutation(known)[: round(test * len(known))])
        for side, keep in enumerate((~held, held)):
            one = chosen[keep]
            parts[side].append((X[one], np.full(len(one), label), np.full(len(one), source)))
    return _joined(parts[0], names, rng), _joined(parts[1], names, rng)


def _joined(parts: list[Any], names: Sequence[str], rng: np.random.Generator) -> Sample:
    X, y, source = (np.concatenate([part[k] for part in parts]) for k in range(3))
    if not len(X):
        raise TooFewData("a sample is empty; give more rows, or another share for the test.")
    order = rng.permutation(len(X))
    return Sample(X[order], y[order].astype(np.int64), source[order], tuple(names))


def write_scored(
    path: str | Path,
    columns: Columns,
    probabilities: Mapping[str, npt.ArrayLike],
    decision: npt.ArrayLike,
    *,
    tree: str = "scored",
) -> Path:
    """Columns as they were read, beside them `probability_MODEL` of every model and `decision` (a whole number).

    Written as a TTree into a new `.root` file or as `.parquet`, which `read_columns` reads again. Raises ShapeError for
    another number of rows, MlcoreError for a column that would be overwritten or another kind of file.
    """
    target = Path(path)
    whole = {name: np.asarray(values) for name, values in columns.items()}
    rows = len(next(iter(whole.values()))) if whole else 0
    new = {f"{PROBABILITY}{name}": np.asarray(one, dtype=np.float64) for name, one in probabilities.items()}
    new[DECISION] = np.asarray(decision, dtype=np.int32)
    taken = sorted(set(new) & set(whole))
    if taken:
        raise MlcoreError(f"the table has a column {', '.join(taken)} already; rename it first.")
    whole.update(new)
    for name, values in whole.items():
        if values.shape != (rows,):
            raise ShapeError(f"column {name} has shape {values.shape}; the table has {rows} rows.")
    if target.suffix == ".root":
        with uproot.recreate(target) as stream:
            stream.mktree(tree, {name: values.dtype for name, values in whole.items()}).extend(whole)
    elif target.suffix == ".parquet":
        pq.write_table(pa.table(whole), target)
    else:
        raise MlcoreError(f"{target.name}: scored tables are written as .root or .parquet.")
    return target
