"""ROOT files: TH1 and TH2 of single lumisections in folders, or n-tuples with one array of counts per lumisection.

Folders say the run and the lumisection in any order and spelling that people use, and the rest of the path is the
monitoring element: `Run 356381/LS 12/Pixel/charge`, `DQMData/Run 356381/Pixel/Run summary/By Lumi Section 12-12/size`.
An n-tuple has a branch for the lumisection, one for the run unless it is given, and every branch that is an array of
one length is an element. Read with uproot, which needs no ROOT.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import uproot

from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import FileBinning, FileCounts, MlcoreError, UnreadableFile
from mlcore.histograms import Axis, HistogramBlock

RUN: Final = re.compile(r"run[\s_#:-]*(\d+)", re.IGNORECASE)
LUMISECTION: Final = re.compile(
    r"(?:ls|lb|by lumi section|lumi(?:section|block)?)[\s_#:-]*(\d+)(?:-(\d+))?", re.IGNORECASE
)
#: Folders of CMS files that say nothing about the element.
IDLE: Final = frozenset({"DQMData", "Run summary"})
RUN_BRANCHES: Final = ("run", "runnumber", "fromrun", "run_number")
LUMISECTION_BRANCHES: Final = (
    "lumisection",
    "ls",
    "lumi",
    "luminosityblock",
    "lb",
    "fromlumi",
    "ls_number",
    "lumi_section",
)
HISTOGRAMS: Final = re.compile(r"T(?:H[12][CSIFDL]|Profile(?:2D)?)$")


@dataclass
class _Element:
    """What was found of an element so far."""

    axes: tuple[Axis, ...]
    keys: list[tuple[int, int]] = field(default_factory=list)
    counts: list[FloatArray] = field(default_factory=list)
    flow: list[FloatArray] = field(default_factory=list)


def read_root(path: str | Path, *, run: int | None = None) -> list[HistogramBlock]:
    """Every element of a file as a block. `run` is that of histograms and n-tuples that name none.

    Raises UnreadableFile, FileBinning and FileCounts with file, object and reason.
    """
    file = Path(path)
    try:
        with uproot.open(file) as stream:
            if file.stat().st_size < stream.file.fEND:
                raise UnreadableFile(
                    file, None, f"it ends after {file.stat().st_size:,} of {stream.file.fEND:,} bytes."
                )
            kinds = {name.rpartition(";")[0]: kind for name, kind in stream.classnames(recursive=True).items()}
            blocks = list(_from_folders(file, stream, kinds, run))
            for name, kind in kinds.items():
                if kind in {"TTree", "ROOT::RNTuple"}:
                    blocks += _from_tuple(file, name, stream[name], run)
    except MlcoreError:  # what was refused by name
        raise
    except (OSError, ValueError, KeyError, uproot.DeserializationError) as problem:
        raise UnreadableFile(file, None, f"not a whole ROOT file ({_first_line(problem)}).") from problem
    if not blocks:
        raise UnreadableFile(file, None, "there is neither a TH1, a TH2 nor an n-tuple with arrays in it.")
    return blocks


def _first_line(problem: Exception) -> str:
    return str(problem).strip().split("\n", maxsplit=1)[0][:200]


# -- histograms in folders -------------------------------------------------------------------------


def _from_folders(file: Path, stream: Any, kinds: dict[str, str], run: int | None) -> Iterator[HistogramBlock]:
    found: dict[str, _Element] = {}
    for name, kind in kinds.items():
        if not HISTOGRAMS.match(kind):
            continue
        element, key = _place(file, name, run)
        histogram = stream[name]
        if kind.startswith("TProfile"):
            raise UnreadableFile(
                file, None, f"{name} is a {kind}: means are no counts. Leave profiles out of the file."
            )
        axes = tuple(_axis(place, axis) for place, axis in enumerate(histogram.axes))
        one = found.setdefault(element, _Element(axes))
        if axes != one.axes:
            raise FileBinning(file, None, f"{name} has other axes than lumisections of {element} before it.")
        counts, flow = _split(np.asarray(histogram.values(flow=True), dtype=np.float64))
        if not np.isfinite(counts).all() or (counts < 0).any() or (flow < 0).any():
            raise FileCounts(file, None, f"{name}: counts are negative or not finite.")
        one.keys.append(key)
        one.counts.append(counts)
        one.flow.append(flow)
    for element, one in found.items():
        yield _block(file, element, one)


def _place(file: Path, name: str, run: int | None) -> tuple[str, tuple[int, int]]:
    """The element, and (run, lumisection)."""
    numbers: dict[str, int] = {}
    rest = []
    for part in name.split("/"):
        if (of_run := RUN.fullmatch(part)) and "run" not in numbers:
            numbers["run"] = int(of_run[1])
        elif (of_lumisection := LUMISECTION.fullmatch(part)) and "lumisection" not in numbers:
            first, last = of_lumisection[1], of_lumisection[2] or of_lumisection[1]
            if int(first) != int(last):
                raise UnreadableFile(file, None, f"{name} is of lumisections {first} to {last} together, not of one.")
            numbers["lumisection"] = int(first)
        elif part not in IDLE:
            rest.append(part)
    if "lumisection" not in numbers:
        raise UnreadableFile(file, None, f"{name} lies in no folder of one lumisection, such as “LS 12”.")
    number = numbers.get("run", run)
    if number is None:
        raise UnreadableFile(
            file, None, f"{name} lies in no folder of a run, such as “Run 356381”, and no run was given."
        )
    return "/".join(rest), (number, numbers["lumisection"])


def _axis(place: int, axis: Any) -> Axis:
    label = str(axis.member("fTitle") or "")
    return Axis("xyz"[place], np.asarray(axis.edges(), dtype=np.float64), label=label)


def _split(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Counts within the axes, and (axes, 2) under- and overflow along each axis, whatever the other ones."""
    inside = values[tuple(slice(1, -1) for _ in values.shape)]
    flow = np.empty((values.ndim, 2))
    for axis in range(values.ndim):
        sums = values.sum(axis=tuple(other for other in range(values.ndim) if other != axis))
        flow[axis] = sums[0], sums[-1]
    return inside, flow


def _block(file: Path, element: str, one: _Element) -> HistogramBlock:
    if len(set(one.keys)) < len(one.keys):
        twice = next(key for key in one.keys if one.keys.count(key) > 1)
        raise UnreadableFile(file, None, f"{element} has lumisection {twice[1]} of run {twice[0]} twice.")
    order = sorted(range(len(one.keys)), key=one.keys.__getitem__)
    runs, lumisections = (np.array(column) for column in zip(*(one.keys[place] for place in order), strict=True))
    return HistogramBlock(
        element, one.axes, np.stack([one.counts[place] for place in order]),
        Conditions(run=runs, lumisection=lumisections), np.stack([one.flow[place] for place in order]),
    )  # fmt: skip


# -- n-tuples --------------------------------------------------------------------------------------


def _from_tuple(file: Path, name: str, entries: Any, run: int | None) -> Iterator[HistogramBlock]:
    branches = {branch.lower(): branch for branch in entries.keys()}  # noqa: SIM118  # no mapping
    of_lumisection = next((branches[each] for each in LUMISECTION_BRANCHES if each in branches), None)
    of_run = next((branches[each] for each in RUN_BRANCHES if each in branches), None)
    if of_lumisection is None:
        raise UnreadableFile(
            file, None, f"{name} has no branch for the lumisection ({', '.join(LUMISECTION_BRANCHES[:3])})."
        )
    if of_run is None and run is None:
        raise UnreadableFile(file, None, f"{name} has no branch for the run, and no run was given.")
    lumisections = np.asarray(entries[of_lumisection].array(library="np"), dtype=np.int64)
    runs = np.full(len(lumisections), run) if of_run is None else np.asarray(entries[of_run].array(library="np"))
    keys = list(zip(runs.tolist(), lumisections.tolist(), strict=True))
    arrays = 0
    for branch in branches.values():
        if branch in {of_lumisection, of_run}:
            continue
        counts = _counts(file, f"{name}/{branch}", entries[branch])
        if counts is None:
            continue
        arrays += 1
        axes = tuple(Axis.regular("xyz"[place], bins, 0.0, float(bins)) for place, bins in enumerate(counts.shape[1:]))
        flow = [np.zeros((len(axes), 2))] * len(counts)
        yield _block(file, branch, _Element(axes, list(keys), list(counts), flow))
    if not arrays:
        raise UnreadableFile(
            file, None, f"{name} holds single numbers, no arrays of counts. Fill a histogram per lumisection first."
        )


def _counts(file: Path, name: str, branch: Any) -> FloatArray | None:
    """(entries, bins …) of a branch of arrays; None for one of single numbers or words."""
    values = branch.array(library="np")
    if values.dtype == object:
        lengths = {len(row) for row in values if hasattr(row, "__len__") and not isinstance(row, str | bytes)}
        if not lengths:
            return None
        if len(lengths) > 1:
            raise FileBinning(file, None, f"{name} has arrays of {min(lengths)} to {max(lengths)} bins.")
        values = np.stack([np.asarray(row) for row in values])
    if values.ndim < 2 or values.ndim > 3 or not np.issubdtype(values.dtype, np.number):
        return None
    counts = np.asarray(values, dtype=np.float64)
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise FileCounts(file, None, f"{name}: counts are negative or not finite.")
    return counts
