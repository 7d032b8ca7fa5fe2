"""Small seasons of the systems that have recipes of their own: trigger rates, slow control, maps, times of hits, wires,
jets whose faults follow luminosity.

What is seen is drawn by mlcore.simulate with its truth; runs, histograms, defects and signatures go through the
services that people's pages call. Of the last runs of a season nothing is signed: they are there to be scored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from certifier.accounts.models import System
from certifier.defects import services as defects
from certifier.lumi import LumiSet
from certifier.monitoring import services as monitoring
from certifier.monitoring.models import Element
from certifier.review import services as review
from certifier.runs import services as runs
from certifier.runs.models import Dataset, Run
from mlcore.conditions import Conditions
from mlcore.histograms import Axis, HistogramBlock
from mlcore.simulate import emcal, slow_control, trigger_runs
from mlcore.simulate.drift_chambers import ChamberLaw, chamber_sample
from mlcore.simulate.drift_tubes import LayerLaw, layer_sample
from mlcore.simulate.endcaps import SECTORS, ClockModel, endcap_towers, sector
from mlcore.simulate.maps import OccupancyModel, hadronic_barrel
from mlcore.simulate.shape_faults import Spike
from mlcore.simulate.shapes import ClusterCharge, DetectorState

DATASET = "express_express"


@dataclass(frozen=True)
class Taken:
    """`blocks` of all runs, and `labels` (n,) 1 where something is wrong; the first block has all lumisections."""

    blocks: Sequence[HistogramBlock]
    labels: Any

    @property
    def conditions(self) -> Conditions:
        return self.blocks[0].conditions


def rates(seed: int = 2) -> Taken:
    drawn = trigger_runs.rate_runs(seed, runs=36, length=40)
    return Taken(trigger_runs.as_elements(drawn.table), drawn.labels)


def lower(taken: Taken, element: str, *, last: int, lumisections: str, factor: float = 0.5) -> Taken:
    """The same with one element so much lower in some lumisections of the `last` run from the end, as nobody knows."""
    run = np.unique(taken.conditions.run)[-last]
    wanted = list(LumiSet.parse(lumisections).numbers())
    where = (taken.conditions.run == run) & np.isin(taken.conditions.lumisection, wanted)
    blocks = [
        replace(block, counts=np.where(where[:, None], factor * block.counts, block.counts))
        if block.element == element
        else block
        for block in taken.blocks
    ]
    return Taken(blocks, taken.labels)


def pulses(seed: int = 3) -> Taken:
    drawn = slow_control.slow_control(seed, runs=20, length=24, faulty=True)
    return Taken([drawn.block], drawn.labels)


def phase(seed: int = 3) -> Taken:
    drawn = emcal.times(seed, runs=30, length=30, hits=80.0)
    return Taken([drawn.block], drawn.labels)


def maps(seed: int = 3, *, run_count: int = 24, length: int = 20) -> Taken:
    """A part of the hadronic barrel; in each run some lumisections with a region that is hot, or dead."""
    whole = hadronic_barrel()
    axes = (Axis.regular("ieta", 12, -6.0, 6.0), Axis.regular("iphi", 16, 0.0, 16.0))
    part = replace(whole, axes=axes, profile=whole.profile[:12, :16], exposure=whole.exposure[:12, :16])
    model = OccupancyModel(part, gain_spread=0.02, random_state=seed)
    rng, n = np.random.default_rng([seed, 5]), run_count * length
    pileup = np.repeat(rng.uniform(20.0, 55.0, run_count), length)
    conditions = Conditions(
        np.repeat(np.arange(1, run_count + 1), length), np.tile(np.arange(1, length + 1), run_count),
        luminosity=10.0 * pileup, pileup=pileup, events=np.full(n, 2_500.0),
    )  # fmt: skip
    expected, labels = model.expected(conditions), np.zeros(n, dtype=int)
    for run in range(run_count):
        first = run * length + int(rng.integers(2, length - 5))
        high, wide = int(rng.integers(0, 9)), int(rng.integers(0, 13))
        expected[first : first + 4, high : high + 3, wide : wide + 3] *= 2.0 if run % 2 else 0.0
        labels[first : first + 4] = 1
    return Taken([replace(model.draw(conditions, rng, expected=expected), conditions=conditions)], labels)


def drift_tubes(seed: int = 3, *, run_count: int = 24, length: int = 15) -> Taken:
    """Two chambers and a layer by itself; in each run some lumisections in which a layer of one of the chambers has too
    low a voltage, or the layer a region without efficiency."""
    rng, n = np.random.default_rng([seed, 6]), run_count * length
    runs_, lumisections = np.repeat(np.arange(1, run_count + 1), length), np.tile(np.arange(1, length + 1), run_count)
    where = np.full(n, -1)
    for run in range(run_count):
        first = run * length + int(rng.integers(1, length - 5))
        where[first : first + 5] = run % 3
    conditions = Conditions(runs_, lumisections)
    blocks = []
    for place, chamber in enumerate(chamber_sample(seed, law=ChamberLaw(chambers=2, learned=n, judged=n))):
        counts = np.where((where == place)[:, None, None], chamber.faulty.counts, chamber.learned.counts)
        blocks.append(replace(chamber.learned, counts=counts, conditions=conditions, flow=None))
    layers = layer_sample(seed, law=LayerLaw(layers=2 * n, bad=0.3))
    good, bad = (layers.block.counts[layers.labels == label] for label in (0, 1))
    counts = good[:n].copy()
    counts[where == 2] = bad[: int((where == 2).sum())]
    return Taken(
        [*blocks, replace(layers.block, counts=counts, conditions=conditions, flow=None)], (where >= 0).astype(int)
    )


def endcaps(seed: int = 3, *, run_count: int = 24, length: int = 12) -> Taken:
    """One endcap, its occupancy and its timing map; in each run some lumisections in which a sector sees a third, or
    its clock is late."""
    rng, n = np.random.default_rng([seed, 7]), run_count * length
    pileup = np.repeat(rng.uniform(20.0, 50.0, run_count), length)
    conditions = Conditions(
        np.repeat(np.arange(1, run_count + 1), length), np.tile(np.arange(1, length + 1), run_count),
        luminosity=10.0 * pileup, pileup=pileup, events=np.full(n, 400.0),
    )  # fmt: skip
    model = OccupancyModel(endcap_towers(), gain_spread=0.07, random_state=seed)
    expected, labels = model.expected(conditions), np.zeros(n, dtype=int)
    shift = np.zeros_like(expected)
    for run in range(run_count):
        first = run * length + int(rng.integers(1, length - 4))
        rows, wide = slice(first, first + 4), sector(model.geometry, int(rng.integers(SECTORS)))
        if run % 2:
            expected[rows, wide] *= 0.35
        else:
            shift[rows, wide] = 0.8
        labels[rows] = 1
    occupancy = model.draw(conditions, rng, expected=expected)
    times = ClockModel(model.geometry, timed=0.2, random_state=seed).draw(occupancy, rng, shift=shift)
    return Taken([occupancy, times], labels)


def jets(seed: int = 3, *, run_count: int = 28, length: int = 20, left: int = 4) -> Taken:
    """Energies of jets, measured the worse the more collisions there are. A tower turns hot where luminosity is high,
    at the beginning of runs; in the last ones, of which nobody has said anything, at their end."""
    rng, n = np.random.default_rng([seed, 8]), run_count * length
    luminosity = np.outer(rng.uniform(420.0, 520.0, run_count), np.linspace(1.0, 0.4, length)).ravel()
    conditions = Conditions(
        np.repeat(np.arange(1, run_count + 1), length), np.tile(np.arange(1, length + 1), run_count),
        luminosity=luminosity, pileup=luminosity / 10.0, events=np.full(n, 600.0),
    )  # fmt: skip
    axis = Axis.regular("energy", 30, 0.0, 200.0, unit="GeV")
    model = ClusterCharge(element="Jets/energy", axis=axis, physics_object="jets", most_probable=60.0)
    nominal = DetectorState.nominal(conditions)
    state = replace(nominal, gain=1.0 + 0.01 * (luminosity / 500.0) ** 2 * rng.standard_normal(n))
    labels = np.zeros(n, dtype=int)
    for run in range(run_count):
        early = run < run_count - left
        first = run * length + int(rng.integers(0, 5) if early else rng.integers(11, 16))
        labels[first : first + 4] = 1
    hot = Spike(axis=axis, bin=20, share=0.03)
    expected = hot.apply(model.expected(conditions, state=state), labels == 1, rng)
    return Taken([model.draw(conditions, rng, expected=expected, state=state)], labels)


SEASONS: dict[str, Callable[[], Taken]] = {
    "rates": rates,
    "pulses": pulses,
    "phase": phase,
    "hot-and-dead": maps,
    "drift-tubes": drift_tubes,
    "endcaps": endcaps,
    "flat-in-luminosity": jets,
}


def live(system: System, taken: Taken, *, left: int = 4) -> list[tuple[Dataset, LumiSet]]:
    """Let it all come, and experts record and sign it; the datasets of the last `left` runs with what is wrong there,
    of which nobody has said anything."""
    defect = f"{system.code}_FAULT"
    defects.define_defect(actor=None, name=defect, system=system, intolerable=True)
    numbers = np.unique(taken.conditions.run)
    waiting = []
    for number in numbers.tolist():
        row, bad = _take(system, taken, number)
        if number in numbers[len(numbers) - left :]:
            waiting.append((Dataset.objects.select_related("run").get(run=row, name=DATASET), bad))
            continue
        if bad:
            entry = defects.NewEntry(run=number, defect=defect, lumisections=bad)
            defects.record_entries(actor=None, entries=[entry], source="page")
        review.sign_off(actor=None, run=row, system=system, stage="express")
    return waiting


def send(taken: Taken, number: int) -> None:
    """The histograms of one run."""
    wanted = [(block, block.conditions.run == number) for block in taken.blocks]
    blocks = [block.select(rows) for block, rows in wanted if rows.any()]
    monitoring.ingest(actor=None, run=number, dataset=DATASET, blocks=blocks)


def _take(system: System, taken: Taken, number: int) -> tuple[Run, LumiSet]:
    rows = np.flatnonzero(taken.conditions.run == number)
    conditions = taken.conditions.select(rows)
    runs.put_run(actor=None, run=number, facts={"lumisections": len(rows)})
    columns = {
        name: values.tolist()
        for name, values in (("recorded_inv_nb", conditions.luminosity), ("pileup", conditions.pileup))
        if np.isfinite(values).all()
    }
    if columns:
        runs.put_lumisections(actor=None, run=number, columns=columns)
    runs.put_dataset(actor=None, run=number, name=DATASET, stage="express")
    send(taken, number)
    for element in Element.objects.filter(system=None):
        monitoring.change_element(actor=None, element=element, system=system.code)
    bad = LumiSet.from_numbers(conditions.lumisection[taken.labels[rows] == 1].tolist())
    return Run.objects.get(number=number), bad
