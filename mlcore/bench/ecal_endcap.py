"""ecal-endcap: hot and silent towers and missing sectors of both ECAL endcaps, and shifted clocks in the timing maps.

Single lumisections. What is learned from are the first four months of a year, what is judged are the two months after
them, with rings that have aged further. Nothing was published, so the difficulty is such that the strongest peer of the
hardest rows lies below the target: a hot tower has five times its hits, a sector was missing for two thirds of the
lumisection, a tower's clock is wrong by 4 ns where a single hit has 2.5. Broken are towers with at least 15 of their 25
crystals. How hits cluster is taken from the real images of the barrel, see `ecal_maps`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mlcore.bench.peers.maps import outlier_scores
from mlcore.bench.rows import Peer, Row, Stopwatch, peak_memory_mb
from mlcore.conditions import Conditions, FloatArray
from mlcore.detectors.conv_autoencoder import ConvAutoencoder
from mlcore.detectors.map_regions import rings
from mlcore.detectors.nmf import NonNegativeFactors
from mlcore.detectors.pulls import Pulls
from mlcore.detectors.ring_map import RingMap
from mlcore.detectors.timing_map import TimingMap
from mlcore.evaluate import auc
from mlcore.histograms import HistogramBlock
from mlcore.simulate.endcaps import SECTORS, ClockModel, crystals, endcap_towers, sector
from mlcore.simulate.maps import OccupancyModel, RegionReadout

NAME = "ecal-endcap"
TARGET = 0.999
LUMISECTIONS, QUICK = 450, 90
PER_RUN = 3
EVENTS = (265.0, 530.0)
HOT, MISSING = 5.0, 0.65
TOWER_SHIFT, SECTOR_SHIFT = 4.0, 0.6
#: crystals that a tower must have to be broken
_WHOLE = 15
_DAY, _START = 86_400.0, 1.7e9

OCCUPANCY = {"hot": "hot tower", "zero": "zero tower", "missing": "missing sector"}
TIMING = {"tower late": "clock of a tower", "sector late": "clock of a sector"}
OURS, ALL = "ours", "any of them, occupancy and timing in parallel"
RING, AUTOENCODER, CUT = "ratio to the ring's mean", "autoencoder", "largest mean time"


@dataclass(frozen=True, eq=False)
class Images:
    """Lumisections with both kinds of maps: `occupancy` (x, y), `timing` (x, y, time)."""

    occupancy: HistogramBlock
    timing: HistogramBlock


@dataclass(frozen=True, eq=False)
class Endcap:
    """Images to learn from, good ones to be judged, and faulty ones by fault; `whole` (x, y) living towers that have
    most of their crystals."""

    train: Images
    good: Images
    faulty: dict[str, Images]
    whole: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """Six rows. Quick: one seed, one endcap, fewer lumisections and epochs."""
    used = list(seeds)[:1] if quick else list(seeds)
    values: dict[tuple[str, str], list[float]] = {}
    watches: dict[str, Stopwatch] = {}
    for seed in used:
        found: dict[tuple[str, str], list[float]] = {}
        for side in "+" if quick else "+-":
            endcap = draw(seed, side, n=QUICK if quick else LUMISECTIONS)
            for key, area in _areas(endcap, seed, watches, epochs=1 if quick else 8).items():
                found.setdefault(key, []).append(area)
        for key, areas in found.items():
            values.setdefault(key, []).append(float(np.mean(areas)))
    return [_row(task, used, values, watches) for task in (*OCCUPANCY, *TIMING, ALL)]


def draw(seed: int, side: str, *, n: int) -> Endcap:
    """One endcap of a detector of its own by seed, n lumisections of each kind."""
    children = np.random.SeedSequence((seed, "+-".index(side))).spawn(3 + len(OCCUPANCY) + len(TIMING))
    rngs = [np.random.default_rng(child) for child in children]
    state = int(rngs[0].integers(2**31))
    model = OccupancyModel(
        endcap_towers(side), gain_spread=0.07, dead=4, ageing=0.4, birth=_START, readout=RegionReadout(),
        random_state=state,
    )  # fmt: skip
    clock = ClockModel(model.geometry, timed=0.2, random_state=state + 1)
    whole = (crystals(side) >= _WHOLE) & (model.gains > 0)
    train = _images(model, clock, _conditions(rngs[1], n, part=0), rngs[1])
    good = _images(model, clock, _conditions(rngs[2], n, part=1), rngs[2])
    faulty = {}
    for number, (fault, rng) in enumerate(zip((*OCCUPANCY, *TIMING), rngs[3:], strict=True), start=2):
        conditions = _conditions(rng, n, part=number)
        faulty[fault] = _images(model, clock, conditions, rng, *_broken(model, fault, conditions, whole, rng))
    return Endcap(train, good, faulty, np.asarray(whole))


def _conditions(rng: np.random.Generator, n: int, *, part: int) -> Conditions:
    """Training in the first four months, everything else in the two after them."""
    runs, (first, last) = n // PER_RUN, (0.0, 120.0) if part == 0 else (120.0, 180.0)
    return Conditions(
        run=1 + 10_000 * part + np.repeat(np.arange(runs), PER_RUN),
        lumisection=np.tile(np.arange(1, PER_RUN + 1), runs),
        pileup=np.repeat(rng.uniform(20, 50, runs), PER_RUN) * rng.normal(1.0, 0.01, n),
        events=np.round(rng.uniform(*EVENTS, n)),
        time=_START + np.sort(rng.uniform(first, last, n)) * _DAY,
    )


def _images(  # noqa: PLR0917  # what an image is made of
    model: OccupancyModel,
    clock: ClockModel,
    conditions: Conditions,
    rng: np.random.Generator,
    expected: FloatArray | None = None,
    shift: FloatArray | None = None,
) -> Images:
    occupancy = model.draw(conditions, rng, expected=expected)
    return Images(occupancy, clock.draw(occupancy, rng, shift=shift))


def _broken(
    model: OccupancyModel,
    fault: str,
    conditions: Conditions,
    whole: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Hits expected with a fault of that kind somewhere in every lumisection, and (n, x, y) shifts of clocks in ns."""
    expected = model.expected(conditions)
    shift = np.zeros_like(expected)
    sectors = [sector(model.geometry, number) for number in range(SECTORS)]
    towers = np.argwhere(whole)
    for row in range(len(expected)):
        tower, wide = tuple(towers[rng.integers(len(towers))]), sectors[int(rng.integers(SECTORS))]
        sign = 1.0 if rng.random() < 0.5 else -1.0
        if fault == "hot":
            expected[(row, *tower)] *= HOT
        elif fault == "zero":
            expected[(row, *tower)] = 0.0
        elif fault == "missing":
            expected[row][wide] *= 1.0 - MISSING
        elif fault == "tower late":
            shift[(row, *tower)] = sign * TOWER_SHIFT
        else:
            shift[row][wide] = sign * SECTOR_SHIFT
    return expected, shift


def _areas(endcap: Endcap, seed: int, watches: dict[str, Stopwatch], *, epochs: int) -> dict[tuple[str, str], float]:
    """AUC by fault and method."""
    found: dict[tuple[str, str], float] = {}
    kept: dict[str, dict[str, list[FloatArray]]] = {}
    for kind, faults, methods in (
        ("occupancy", OCCUPANCY, _of_occupancy(endcap, seed, epochs)),
        ("timing", TIMING, _of_timing(endcap, seed, epochs)),
    ):
        sets = [endcap.good, *endcap.faulty.values()]
        for name, make in methods.items():
            with watches.setdefault(name, Stopwatch()).running():
                score = make()
                scores = [score(getattr(images, kind)) for images in sets]
            kept.setdefault(name, {})[kind] = scores
            for fault in faults:
                found[fault, name] = _area(scores[0], scores[1 + list(endcap.faulty).index(fault)])
    with watches.setdefault("PyOD", Stopwatch()).running():
        blocks = [endcap.faulty[fault].occupancy for fault in OCCUPANCY]
        outliers = outlier_scores(endcap.train.occupancy, [endcap.good.occupancy, *blocks], random_state=seed)
    for name, parts in outliers.items():
        for fault, part in zip(OCCUPANCY, parts[1:], strict=True):
            found[fault, name] = _area(parts[0], part)
    found[ALL, OURS] = _either(kept[OURS], ranks=False)
    found[ALL, AUTOENCODER] = _either(kept[AUTOENCODER], ranks=True)
    return found


def _either(scores: dict[str, list[FloatArray]], *, ranks: bool) -> float:
    """AUC of the larger of both scores, all faults together; `ranks` among the good ones where scores are in units of
    their own (which makes it a little better than it could be with other good ones)."""
    parts = [np.concatenate(each) for each in scores.values()]
    n = len(scores["occupancy"][0])
    if ranks:
        parts = [
            np.searchsorted(np.sort(one[:n]), one) / n + np.maximum(one / one[:n].max() - 1.0, 0.0) for one in parts
        ]
    both = np.maximum(*parts)
    return _area(both[:n], both[n:])


Scorer = Callable[[HistogramBlock], FloatArray]


def _of_occupancy(endcap: Endcap, seed: int, epochs: int) -> dict[str, Callable[[], Scorer]]:
    train = endcap.train.occupancy
    ring = rings(train.axes)

    def ratio(block: HistogramBlock) -> FloatArray:
        counts, living = block.flat.astype(np.float64), endcap.whole.ravel()
        mean = np.stack([counts[:, (ring == number) & living].mean(axis=1) if ((ring == number) & living).any()
                         else np.ones(len(counts)) for number in range(int(ring.max()) + 1)], axis=1)  # fmt: skip
        odd = np.abs(np.log(np.maximum(counts, 0.5) / np.maximum(mean, 0.5)[:, ring]))
        return np.asarray(odd[:, living].max(axis=1))

    return {
        OURS: lambda: RingMap().fit(train).score,
        RING: lambda: ratio,
        "pulls, no rings": lambda: Pulls().fit(train).score,
        "NMF": lambda: NonNegativeFactors(random_state=seed).fit(train).score,
        AUTOENCODER: lambda: ConvAutoencoder(epochs=epochs, window=1, random_state=seed).fit(train).score,
    }


def _of_timing(endcap: Endcap, seed: int, epochs: int) -> dict[str, Callable[[], Scorer]]:
    train = endcap.train.timing

    def autoencoder() -> Scorer:
        net = ConvAutoencoder(epochs=epochs, window=1, preprocessing="standard", spatial=False, random_state=seed)
        net.fit(mean_times(train))
        return lambda block: net.score(mean_times(block))

    def cut(block: HistogramBlock) -> FloatArray:
        return np.asarray(np.abs(mean_times(block).counts - _LATEST)[:, endcap.whole].max(axis=1))

    return {OURS: lambda: TimingMap().fit(train).score, AUTOENCODER: autoencoder, CUT: lambda: cut}


_LATEST = 12.5


def mean_times(block: HistogramBlock) -> HistogramBlock:
    """Timing maps as they are looked at: mean time of each tower, from 0; in the middle where there are no hits."""
    times = np.nan_to_num(TimingMap().means(block))
    return replace(block, axes=block.axes[:-1], counts=times + _LATEST, flow=None)


def _area(good: FloatArray, bad: FloatArray) -> float:
    return auc(np.concatenate([good, bad]), np.repeat([0, 1], [len(good), len(bad)]))


def _row(task: str, used: list[int], values: dict[tuple[str, str], list[float]], watches: dict[str, Stopwatch]) -> Row:
    words = {**OCCUPANCY, **TIMING}.get(task, task)
    peers = {
        name: Peer(float(np.mean(got)), float(np.std(got)), watches["PyOD" if "PyOD" in name else name].seconds)
        for (of, name), got in values.items()
        if of == task
    }  # fmt: skip
    mine = peers.pop(OURS)
    return Row(
        NAME, f"endcaps, {words}, AUC", "none", TARGET, mine.value, mine.spread, used, watches[OURS].seconds,
        peak_memory_mb(), peers,
        note="Mean of both endcaps; one detector of occupancy, one of timing, each the same in all its rows.",
    )  # fmt: skip
