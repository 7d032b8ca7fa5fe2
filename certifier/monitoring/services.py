"""Every write of this room. What is there already, bin by bin, is not written again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.accounts.selectors import system_named
from certifier.audit.unit import Unit, unit_of_work
from certifier.lumi import LumiSet
from certifier.runs import services as runs
from certifier.runs.changes import announce
from certifier.runs.errors import RunNotFound
from certifier.runs.models import Dataset, Run
from certifier.runs.run_fields import Unfit, run_number
from mlcore.histograms import HistogramBlock

from . import axes, checks, files
from .errors import ElementRefused, HistogramsLost
from .models import Element, Part
from .parts import Live, covered, live_parts, read_many

KEEP: Final = object()
_PATHS_PER_QUERY: Final = 10_000


@dataclass(frozen=True)
class Ingested:
    """What came of histograms that were sent: those that are new or differ were written, the others were there."""

    run: int
    dataset: str
    new_elements: tuple[str, ...] = ()
    parts: list[Part] = field(default_factory=list)
    lumisections: LumiSet = field(default_factory=LumiSet)
    histograms: int = 0
    unchanged: int = 0
    saved: files.Saved | None = None

    @property
    def changed(self) -> bool:
        return bool(self.histograms)


def ingest(
    *, actor: User | None, run: int, dataset: str, blocks: Iterable[HistogramBlock], dry_run: bool = False
) -> Ingested:
    """Store the histograms of one run and dataset, all or none; coordinators and their robots.

    An element that is not known is made, with these axes for good; so is the dataset. A histogram whose counts are
    NaN is missing, and leaves what is known. Where a lumisection is known with other counts, these count from now on.
    With `dry_run` it is only said what would be written. Raises RunNotFound, HistogramsRefused naming element and
    lumisection, DatasetRefused.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_write_runs(actor))
        row = _locked(run)
        given = checks.joined(row, blocks)
        elements = _elements(given)
        checks.other_bins(row, given.values(), elements)
        known = Dataset.objects.filter(run=row, name=dataset).first()
        news = _news(known, given, elements)
        sent = sum(len(block) for block in given.values())
        written = sum(len(block) for block in news)
        new_elements = tuple(path for path in given if path not in elements)
        outcome = Ingested(run, dataset, new_elements, [], _lumisections(news), written, sent - written)
        if not news or dry_run:
            return outcome
        return _write(unit, row, outcome, news, known or _new_dataset(unit, row, dataset))


def _locked(number: int) -> Run:
    """The run, locked until the end of the transaction: two who send the same at once write it once."""
    try:
        row = Run.objects.select_for_update(no_key=True).filter(number=run_number(number)).first()
    except Unfit:
        row = None
    if row is None:
        raise RunNotFound(number)
    return row


def _elements(given: dict[str, HistogramBlock]) -> dict[str, Element]:
    paths = list(given)
    found: dict[str, Element] = {}
    for start in range(0, len(paths), _PATHS_PER_QUERY):
        part = Element.objects.filter(path__in=paths[start : start + _PATHS_PER_QUERY])
        found |= {element.path: element for element in part}
    return found


def _news(
    dataset: Dataset | None, given: dict[str, HistogramBlock], elements: dict[str, Element]
) -> list[HistogramBlock]:
    """Of what was given that which is not so already."""
    known = live_parts(dataset, [element.pk for element in elements.values()]) if dataset else {}
    news = []
    for path, block in given.items():
        parts = known.get(elements[path].pk, []) if path in elements else []
        fresh = block if not parts else _differing(block, parts)
        if len(fresh):
            news.append(fresh)
    return news


def _differing(block: HistogramBlock, parts: list[Live]) -> HistogramBlock:
    """The rows of a block that are not stored, or stored otherwise."""
    assert block.flow is not None
    mine = LumiSet.from_numbers(block.conditions.lumisection.tolist())
    if covered(parts).isdisjoint(mine):
        return block
    digest = digest_of(block)
    for live in parts:
        whole = live.lumisections == live.part.lumisections == mine
        if whole and live.part.sha256 == digest and files.is_whole(live.part.file):
            return block.select(slice(0, 0))
    try:
        stored = read_many({0: parts}, mine)[0]
    except HistogramsLost:
        return block  # what cannot be read any more is written anew
    place = np.minimum(np.searchsorted(stored.lumisections, block.conditions.lumisection), len(stored.lumisections) - 1)
    same = stored.lumisections[place] == block.conditions.lumisection
    same &= (stored.counts[place] == block.flat).all(axis=1)
    same &= (stored.flow[place] == block.flow.reshape(len(block), -1)).all(axis=1)
    return block.select(~same)


def digest_of(block: HistogramBlock) -> str:
    """Of axes, lumisections and counts: what makes histograms the same, whatever file they stand in."""
    assert block.flow is not None
    digest = hashlib.sha256(json.dumps(axes.stored(block.axes)).encode())
    digest.update(block.conditions.lumisection.astype("<i8").tobytes())
    digest.update(np.ascontiguousarray(block.flat, dtype="<f8").tobytes())
    digest.update(np.ascontiguousarray(block.flow, dtype="<f8").tobytes())
    return digest.hexdigest()


def _lumisections(blocks: list[HistogramBlock]) -> LumiSet:
    together = LumiSet()
    for block in blocks:
        together |= LumiSet.from_numbers(block.conditions.lumisection.tolist())
    return together


def _write(unit: Unit, run: Run, outcome: Ingested, news: list[HistogramBlock], dataset: Dataset) -> Ingested:
    """The file first, then the rows that refer to it: what breaks off in between leaves a file that nobody knows."""
    saved = files.save(run.number, outcome.dataset, files.encode(run.number, news))
    try:
        return replace(outcome, parts=_refer(unit, run, dataset, news, saved.name), saved=saved)
    except BaseException:
        # Still under the lock of the run, so nobody else can have begun to refer to it.
        files.remove(saved)
        raise


def _refer(unit: Unit, run: Run, dataset: Dataset, news: list[HistogramBlock], file: str) -> list[Part]:
    elements = _made(run, news)
    now = timezone.now()
    parts = Part.objects.bulk_create(
        _part(dataset, elements[block.element], block, file=file, row_group=group, at=now)
        for group, block in enumerate(news)
    )
    data = {
        "dataset": dataset.name,
        "elements": len(parts),
        "histograms": sum(part.histograms for part in parts),
        "lumisections": str(_lumisections(news)),
    }
    unit.audit("monitoring.ingest", f"run {run.number}", {**data, "file": file})
    announce(unit, "monitoring.histograms", run=run.number, data=data)
    return parts


def _new_dataset(unit: Unit, run: Run, name: str) -> Dataset:
    return runs.put_dataset(actor=unit.actor, run=run.number, name=name)  # type: ignore[arg-type]  # our own User


def _made(run: Run, blocks: list[HistogramBlock]) -> dict[str, Element]:
    """The elements of these blocks. Somebody else may make one in the same moment, with the same axes or others."""
    given = {block.element: block for block in blocks}
    known = _elements(given)
    now = timezone.now()
    new = [
        Element(path=path, axes=axes.stored(block.axes), physics_object=block.physics_object, created_at=now)
        for path, block in sorted(given.items())
        if path not in known
    ]
    if new:
        Element.objects.bulk_create(new, ignore_conflicts=True)
        known = _elements(given)
    # Also where none is new: it may have come since the first look.
    checks.other_bins(run, blocks, known)
    return known


def _part(dataset: Dataset, element: Element, block: HistogramBlock, **place: Any) -> Part:
    return Part(
        dataset=dataset,
        element=element,
        lumisections=LumiSet.from_numbers(block.conditions.lumisection.tolist()),
        sha256=digest_of(block),
        histograms=len(block),
        entries=float(block.totals.sum()),
        **place,
    )


# --- elements -------------------------------------------------------------------------------------------------


def change_element(*, actor: User | None, element: Element, system: Any = KEEP, physics_object: Any = KEEP) -> Element:
    """Say which system looks after an element (a code, or None for nobody), and in which group its errors are reported.

    Coordinators. Raises ElementRefused naming the field.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_change_elements(actor))
        row = Element.objects.select_for_update(no_key=True, of=("self",)).select_related("system").get(pk=element.pk)
        before = {"system": row.system.code if row.system else None, "physics_object": row.physics_object}
        if system is not KEEP:
            row.system = None if system is None else system_named(system)
        if physics_object is not KEEP:
            row.physics_object = _group(physics_object)
        after = {"system": row.system.code if row.system else None, "physics_object": row.physics_object}
        if after != before:
            row.save(update_fields=["system", "physics_object"])
            unit.audit("monitoring.change_element", row.path, {"before": before, "after": after})
            announce(unit, "monitoring.element", data={"element": row.path, **after})
    return row


def _group(text: object) -> str:
    if not isinstance(text, str) or len(text) > checks.LONGEST_GROUP:
        raise ElementRefused(
            f"A physics object is a text of at most {checks.LONGEST_GROUP} characters.", field="physics_object"
        )
    return text.strip()
