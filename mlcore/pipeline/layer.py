"""The detectors of a system model, one copy per input, and the columns that the classifier sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, log_ndtr

from mlcore.conditions import BoolArray, FloatArray, IntArray
from mlcore.detectors.base import Detector
from mlcore.detectors.ensemble import TailScale
from mlcore.errors import IncompatibleBinning, ShapeError, TooFewData
from mlcore.features import FeatureTable
from mlcore.histograms import Axis, HistogramBlock
from mlcore.splits import run_folds

from .config import DetectorConfig
from .inputs import AND, QUANTITIES, TABLE, TOGETHER, Inputs, elements_of, spoken
from .neighbours import around, far_around
from .shapes import shape_columns


@dataclass
class Member:
    """One fitted detector: what it looks at, in which physics object it counts."""

    element: str
    name: str
    group: str
    detector: Detector

    @property
    def title(self) -> str:
        return f"{self.name} {self.element}"


@dataclass
class Layer:
    """Fitted detectors, and the scale on which their scores are compared."""

    members: list[Member]
    scale: TailScale
    axes: dict[str, tuple[Axis, ...]]
    notes: list[str]

    def raw(self, inputs: Inputs) -> FloatArray:
        """(n, members) scores, each on the scale of its detector; NaN where it cannot score.

        An input with other axes or features than in training cannot be scored: a column of NaN.
        """
        found = np.full((len(inputs), len(self.members)), np.nan)
        for place, member in enumerate(self.members):
            data = inputs.get(member.element)
            if data is None or not len(inputs):
                continue
            try:
                found[:, place] = member.detector.score(data)
            except IncompatibleBinning:
                continue
        return found

    def raw_of(self, titles: Sequence[str], inputs: Inputs) -> FloatArray:
        """The same in the columns of another layer; NaN for what this one does not have."""
        found = np.full((len(inputs), len(titles)), np.nan)
        raw = self.raw(inputs)
        for place, member in enumerate(self.members):
            if member.title in titles:
                found[:, titles.index(member.title)] = raw[:, place]
        return found

    def seen_in_table(self, inputs: Inputs) -> dict[str, FloatArray]:
        """(n,) by physics object: how likely it sees a fault in the table of features, by a detector that can tell.
        Empty where there is none, or no such table."""
        for member in self.members:
            tell = getattr(member.detector, "object_scores", None)
            if member.element != TABLE or tell is None or inputs.table is None:
                continue
            try:
                scores = tell(inputs.table)
            except IncompatibleBinning:
                continue
            names = member.detector.groups_
            return {name: np.asarray(expit(scores[:, place])) for place, name in enumerate(names)}
        return {}

    def odd_quantities(self, inputs: Inputs) -> dict[int, tuple[tuple[str, ...], tuple[str, ...], FloatArray]]:
        """By place of a member that looks at quantities and can tell which is odd: their names, their groups, and
        (n, k) -log10 of how often any of the k lies as far outside its forecast in a good lumisection, either way."""
        found = {}
        for place, member in enumerate(self.members):
            table = inputs.get(member.element) if member.element.startswith(QUANTITIES) else None
            if not isinstance(table, FeatureTable) or not hasattr(member.detector, "pulls"):
                continue
            try:
                pulls = member.detector.pulls(table)
            except IncompatibleBinning:
                continue
            names = member.detector.columns_
            groups = tuple(table.groups[table.names.index(name)] for name in names)
            scores = -(log_ndtr(-np.abs(pulls)) + np.log(2.0 * len(names))) / np.log(10.0)
            found[place] = (names, groups, np.maximum(scores, 0.0))
        return found

    @property
    def titles(self) -> list[str]:
        return [member.title for member in self.members]

    def scaled(self, inputs: Inputs) -> FloatArray:
        """(n, members) scores as -log10 of how often good lumisections score as high."""
        return self.scale.transform(self.raw(inputs))

    @property
    def groups(self) -> list[str]:
        return [member.group for member in self.members]

    @property
    def elements(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(member.element for member in self.members))


def fit_members(
    inputs: Inputs,
    configs: Sequence[DetectorConfig],
    good: IntArray | None,
    weights: FloatArray | None,
    random_state: int,
) -> tuple[list[Member], list[str]]:
    """Fit every detector on every input that it is meant for; what cannot be fitted is left out and noted.

    `good` (n,) labels for detectors that learn from good ones only, None when nothing is labelled.
    """
    members, notes = [], []
    for config in configs:
        for element in _elements(inputs, config):
            data = inputs.get(element)
            detector = config.build(random_state)
            if data is None or not _suits(config, detector, element, data):
                continue
            if detector.supervised and (good is None or len(np.unique(good)) < 2):
                notes.append(f"{config.name} on {element} was left out: it needs good and bad labels.")
                continue
            try:
                detector.fit(data, good, weights=weights)
            except (TooFewData, ShapeError) as problem:
                notes.append(f"{config.name} on {element} was left out: {problem}")
                continue
            members.append(Member(element, config.name, _group(inputs, element), detector))
    return members, notes


def _group(inputs: Inputs, element: str) -> str:
    """The physics object in which an input counts, that of its blocks where they have one in common; else its name."""
    blocks = [inputs.blocks.get(name) for name in elements_of(element)]
    objects = {"" if block is None else block.physics_object for block in blocks}
    return objects.pop() or spoken(element) if len(objects) == 1 else spoken(element)


def _elements(inputs: Inputs, config: DetectorConfig) -> list[str]:
    """What a detector gets a copy for: every input, or one name for all histograms that it is to see together."""
    if not config.together and not config.quantities:
        return [*inputs.blocks, *([TABLE] if inputs.table is not None else [])]
    wanted = [name for name, block in inputs.blocks.items() if _looks_at(config, block)]
    return [(QUANTITIES if config.quantities else TOGETHER) + AND.join(wanted)] if wanted else []


def _looks_at(config: DetectorConfig, block: HistogramBlock) -> bool:
    return config.looks_at(block.element, [(axis.bins, axis.unit) for axis in block.axes])


def _suits(config: DetectorConfig, detector: Detector, element: str, data: Any) -> bool:
    if config.together or config.quantities:
        return detector.consumes == "table"
    if isinstance(data, HistogramBlock):
        return detector.consumes == "block" and _looks_at(config, data)
    return detector.consumes == "table" and config.takes(element) and config.axes is None and config.unit is None


def fit_layer(
    inputs: Inputs, configs: Sequence[DetectorConfig], labels: FloatArray, weights: FloatArray, *, random_state: int
) -> Layer:
    """Detectors from these lumisections; they have no common scale yet.

    `labels` (n,) 0, 1 or NaN for not labelled. What is not labelled bad teaches those that learn from good ones;
    supervised ones learn from what is labelled. Raises TooFewData when no detector could be fitted.
    """
    members, notes = [], []
    for supervised in (False, True):
        wanted = [one for one in configs if one.build(random_state).supervised == supervised]
        if not wanted:
            continue
        rows = np.flatnonzero((~np.isnan(labels) if supervised else labels != 1) & (weights > 0))
        told = labels[rows].astype(np.int64) if supervised else None
        found, noted = fit_members(inputs.select(rows), wanted, told, weights[rows], random_state)
        members += found
        notes += noted
    if not members:
        raise TooFewData(f"no detector could be fitted on {len(inputs)} lumisections. " + " ".join(notes)[:500])
    axes = {name: block.axes for name, block in inputs.blocks.items()}
    return Layer(members, TailScale(), axes, notes)


def forward_scores(
    inputs: Inputs,
    configs: Sequence[DetectorConfig],
    labels: FloatArray,
    weights: FloatArray,
    titles: Sequence[str],
    *,
    first: BoolArray,
    refresh: int,
    gap: int,
    random_state: int,
) -> FloatArray:
    """(n, titles) scores of everything after the `first` runs, each on the scale of its detector, as in use: the runs
    are cut into `refresh` pieces, and before each the detectors learn anew from all that came before it, `gap` runs
    left out. NaN in the first runs, and for a detector that could not be fitted yet.
    """
    found = np.full((len(inputs), len(titles)), np.nan)
    later = np.unique(inputs.conditions.run[~first & (inputs.conditions.run > inputs.conditions.run[first].max())])
    pieces: list[IntArray] = np.array_split(later, max(min(refresh, later.size), 1))
    for piece in pieces:
        if not piece.size:
            continue
        before = np.unique(inputs.conditions.run[inputs.conditions.run < piece[0]])
        known = np.isin(inputs.conditions.run, before[: before.size - gap])
        rows = np.flatnonzero(known)
        layer = fit_layer(inputs.select(rows), configs, labels[rows], weights[rows], random_state=random_state)
        there = np.flatnonzero(np.isin(inputs.conditions.run, piece))
        found[there] = layer.raw_of(titles, inputs.select(there))
    return found


def folded_scores(
    inputs: Inputs,
    configs: Sequence[DetectorConfig],
    labels: FloatArray,
    weights: FloatArray,
    titles: Sequence[str],
    *,
    folds: int,
    random_state: int,
) -> FloatArray:
    """(n, titles) scores of each run by detectors that learned from other runs of the same time, each on its scale."""
    found = np.full((len(inputs), len(titles)), np.nan)
    for train, test in run_folds(inputs.conditions, min(folds, len(np.unique(inputs.conditions.run)))):
        layer = fit_layer(inputs.select(train), configs, labels[train], weights[train], random_state=random_state)
        found[test] = layer.raw_of(titles, inputs.select(test))
    return found


def columns(
    scaled: FloatArray,
    summaries: FloatArray,
    layer: Layer,
    inputs: Inputs,
    *,
    windows: Sequence[int],
    shapes: bool,
    wanted: Sequence[str] | None = None,
) -> FeatureTable:
    """Everything that a classifier may see of each lumisection, as one table.

    Scores of the detectors and of the neighbours, summaries, the largest score of each physics object, how many inputs
    are missing, shapes of histograms beside their run, the table's own columns, and pile-up. Never the time: a model
    would learn when things broke. Of the shapes only those of elements that occur in `wanted` are worked out, all when
    it is None.
    """
    titles = [member.title for member in layer.members]
    groups = layer.groups
    parts: list[tuple[FloatArray, list[str], list[str]]] = [
        (scaled, [f"score {title}" for title in titles], groups),
        (summaries, ["largest score", "sum of scores"], ["all", "all"]),
    ]
    for far, mean, window in zip(("", "far "), (around, far_around), windows, strict=False):
        titled = [f"{far}around {title}" for title in titles]
        summed = [f"largest {far}around", f"sum {far}around"]
        parts.append((mean(scaled, inputs.conditions, window), titled, groups))
        parts.append((mean(summaries, inputs.conditions, window), summed, ["all", "all"]))
    objects = list(dict.fromkeys(groups))
    if len(objects) > 1:
        best = np.column_stack([_largest(scaled[:, [group == name for group in groups]]) for name in objects])
        parts.append((best, [f"largest of {name}" for name in objects], objects))
    parts.append((np.isnan(scaled).mean(axis=1)[:, None], ["share without score"], ["all"]))
    parts.append((inputs.conditions.pileup[:, None], ["pile-up"], ["conditions"]))
    if shapes:
        known = {name for element in layer.elements for name in elements_of(element)}
        blocks = [block for block in inputs.blocks.values() if len(block.axes) == 1 and block.element in known]
        for table in shape_columns(blocks, inputs.conditions, windows, wanted):
            parts.append((table.values, list(table.names), list(table.groups)))
    if inputs.table is not None:
        parts.append((inputs.table.values, [f"given {name}" for name in inputs.table.names], list(inputs.table.groups)))
    return FeatureTable(
        np.hstack([part[0] for part in parts]),
        tuple(name for part in parts for name in part[1]),
        tuple(name for part in parts for name in part[2]),
        inputs.conditions,
    )


def _largest(values: FloatArray) -> FloatArray:
    best = np.where(np.isnan(values), -np.inf, values).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(best), best, np.nan)


def chosen(table: FeatureTable, names: Sequence[str]) -> FeatureTable:
    """Columns of a table by name; those that are not there (a missing element) are unknown."""
    place = {name: at for at, name in enumerate(table.names)}
    values = np.full((len(table), len(names)), np.nan)
    groups = []
    for column, name in enumerate(names):
        at = place.get(name)
        groups.append("missing" if at is None else table.groups[at])
        if at is not None:
            values[:, column] = table.values[:, at]
    return FeatureTable(values, tuple(names), tuple(groups), table.conditions)


def separating(table: FeatureTable, labels: IntArray, weights: FloatArray, most: int) -> list[str]:
    """Names of the `most` columns that separate good from bad best one by one (weighted AUC, either way), in order of
    the table. Columns that are constant or mostly unknown are left out; summaries and the largest always stay."""
    values = table.values
    known = np.isfinite(values)
    bad = np.where(labels == 1, weights, 0.0)
    good = np.where(labels == 1, 0.0, weights)
    merit = np.zeros(values.shape[1])
    for place in range(values.shape[1]):
        rows = known[:, place]
        if rows.mean() < 0.2:
            continue
        merit[place] = _separation(values[rows, place], bad[rows], good[rows])
    always = {"largest score", "sum of scores", "largest around", "sum around", "share without score"}
    merit[[place for place, name in enumerate(table.names) if name in always]] = 2.0
    chosen = np.sort(np.argsort(-merit, kind="stable")[:most])
    return [table.names[place] for place in chosen if merit[place] > 0]


def _separation(values: FloatArray, bad: FloatArray, good: FloatArray) -> float:
    order = np.argsort(values, kind="stable")
    first = np.r_[True, np.diff(values[order]) > 0]
    if first.sum() < 2 or not bad.sum() > 0 or not good.sum() > 0:
        return 0.0
    starts = np.flatnonzero(first)
    b, g = np.add.reduceat(bad[order], starts), np.add.reduceat(good[order], starts)
    area = float((b * (np.cumsum(g) - g / 2)).sum() / (b.sum() * g.sum()))
    return abs(area - 0.5)
