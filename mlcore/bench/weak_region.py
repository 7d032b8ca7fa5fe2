"""weak-region: 5 x 5 towers at -15% within three lumisections of the ECAL barrel.

No figure is published for it. The product of the losses of three lumisections, as the deployed monitoring forms it, was
measured at an AUC of 0.64 given the true expectation; 82 hits per tower at nominal luminosity give it that here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import roc_auc_score

from mlcore.bench.peers.maps import loss_product, outlier_scores
from mlcore.bench.rows import Peer, Row, Stopwatch, peak_memory_mb
from mlcore.conditions import Conditions, FloatArray
from mlcore.detectors.pulls import Pulls
from mlcore.detectors.scan import Scan
from mlcore.histograms import HistogramBlock
from mlcore.simulate import map_faults
from mlcore.simulate.maps import OccupancyModel, ecal_barrel, region_sums

NAME = "weak-region"
HITS = 82.0
STRENGTH, SIZE, TOGETHER = 0.15, (5, 5), 3


@dataclass(frozen=True, eq=False)
class World:
    """Groups of three lumisections: to learn from, good, and with a weak region somewhere in all three."""

    model: OccupancyModel
    train: HistogramBlock
    good: HistogramBlock
    bad: HistogramBlock


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """One row: AUC of groups of three lumisections, over the seeds."""
    values: dict[str, list[float]] = {}
    watches: dict[str, Stopwatch] = {}
    limits = []
    for seed in seeds:
        world = draw(seed, groups=40 if quick else 200)
        for name, scores in _methods(world, seed, watches, others=not quick or seed == seeds[0]).items():
            labels = np.repeat([0, 1], [len(scores[0]), len(scores[1])])
            values.setdefault(name, []).append(float(roc_auc_score(labels, np.concatenate(scores))))
        limits.append(bayes_limit(world))
    ours = values.pop("ours")
    peers = {name: Peer(float(np.mean(got)), float(np.std(got)), watches[name].seconds) for name, got in values.items()}
    row = Row(
        NAME, "5x5 towers at -15% within 3 lumisections, AUC", "0.64 (loss product, measured)", 0.99,
        float(np.mean(ours)), float(np.std(ours)), list(seeds), watches["ours"].seconds, peak_memory_mb(), peers,
        bayes=float(np.mean(limits)),
        note="Ours learns the expectation from good lumisections; the loss product is given the true one.",
    )  # fmt: skip
    return [row]


def draw(seed: int, *, groups: int) -> World:
    children = np.random.SeedSequence(seed).spawn(3)
    model = OccupancyModel(ecal_barrel(), random_state=seed)
    blocks = []
    for number, (child, faulty, count) in enumerate(
        zip(children, (0, 0, 1), (3 * groups // 2, groups, groups), strict=True)
    ):
        rng = np.random.default_rng(child)
        conditions = _conditions(model, rng, count, first_run=1 + 10_000 * number)
        expected = model.expected(conditions)
        for group in range(count * faulty):
            fault = map_faults.weak_region(model.geometry, rng, strength=STRENGTH, size=SIZE)
            rows = slice(TOGETHER * group, TOGETHER * (group + 1))
            expected[rows] = fault.apply(expected[rows], slice(None), rng)
        blocks.append(model.draw(conditions, rng, expected=expected))
    return World(model, *blocks)


def _conditions(model: OccupancyModel, rng: np.random.Generator, groups: int, *, first_run: int) -> Conditions:
    """Luminosity from 0.4 to 1.2 times the nominal one; every group is a run of its own."""
    n = TOGETHER * groups
    pileup, luminosity = rng.uniform(20, 60, n), rng.uniform(0.4, 1.2, n)
    rate = model.geometry.alpha + model.geometry.beta * pileup
    return Conditions(
        run=first_run + np.repeat(np.arange(groups), TOGETHER),
        lumisection=np.tile(np.arange(1, TOGETHER + 1), groups),
        luminosity=400.0 * luminosity,
        pileup=pileup,
        events=np.round(HITS * luminosity / rate),
    )


def _methods(
    world: World, seed: int, watches: dict[str, Stopwatch], *, others: bool
) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Scores of each method for good and bad groups: of their last lumisection, or of their sum."""
    found: dict[str, tuple[FloatArray, FloatArray]] = {}
    with watches.setdefault("ours", Stopwatch()).running():
        scan = Scan(stacks=(1, TOGETHER)).fit(world.train)
        found["ours"] = _last(scan.score(world.good)), _last(scan.score(world.bad))
    with watches.setdefault("loss product", Stopwatch()).running():
        found["loss product"] = _products(world, world.good), _products(world, world.bad)
    if not others:
        return found
    with watches.setdefault("scan of single lumisections, largest", Stopwatch()).running():
        single = Scan(stacks=(1,)).fit(world.train)
        found["scan of single lumisections, largest"] = _most(single.score(world.good)), _most(single.score(world.bad))
    summed = [_summed(block) for block in (world.train, world.good, world.bad)]
    for statistic in ("max", "chi2"):
        name = f"{statistic} pull of the sum" if statistic == "max" else "chi2 of the sum"
        with watches.setdefault(name, Stopwatch()).running():
            pulls = Pulls(statistic=statistic).fit(summed[0])
            found[name] = pulls.score(summed[1]), pulls.score(summed[2])
    watch = Stopwatch()
    with watch.running():
        outliers = outlier_scores(summed[0], summed[1:], random_state=seed)
    for name, (good, bad) in outliers.items():
        watches.setdefault(name, Stopwatch()).seconds += watch.seconds / len(outliers)
        found[name] = good, bad
    return found


def _last(scores: FloatArray) -> FloatArray:
    return scores[TOGETHER - 1 :: TOGETHER]


def _most(scores: FloatArray) -> FloatArray:
    return np.asarray(scores.reshape(-1, TOGETHER).max(axis=1))


def _summed(block: HistogramBlock) -> HistogramBlock:
    """One row per group: the sum of its lumisections, with their mean pile-up and all their events."""
    rows = slice(TOGETHER - 1, None, TOGETHER)
    groups = (-1, TOGETHER)
    one = block.conditions.select(rows)
    conditions = Conditions(
        one.run, one.lumisection, pileup=block.conditions.pileup.reshape(groups).mean(axis=1),
        events=block.conditions.events.reshape(groups).sum(axis=1),
    )  # fmt: skip
    counts = block.counts.reshape(-1, TOGETHER, *block.bins).sum(axis=1)
    return HistogramBlock(block.element, block.axes, counts, conditions)


def _products(world: World, block: HistogramBlock) -> FloatArray:
    expected = world.model.expected(block.conditions)
    squared = (block.counts - expected) ** 2 / expected
    return np.asarray(loss_product(squared, TOGETHER).reshape(len(block) // TOGETHER, -1).max(axis=1))


def bayes_limit(world: World) -> float:
    """AUC of the likelihood ratio, which no method exceeds: strength and true expectation known, the place uniform."""
    ratios = []
    for block in (world.good, world.bad):
        expected = world.model.expected(block.conditions)
        log_ratio = block.counts * np.log(1.0 - STRENGTH) + STRENGTH * expected
        groups = log_ratio.reshape(-1, TOGETHER, *block.bins).sum(axis=1)
        inside = region_sums(groups, block.axes, SIZE)[:, SIZE[0] // 2 : -(SIZE[0] // 2)].reshape(len(groups), -1)
        best = inside.max(axis=1)
        ratios.append(best + np.log(np.exp(inside - best[:, None]).mean(axis=1)))
    return float(roc_auc_score(np.repeat([0, 1], [len(part) for part in ratios]), np.concatenate(ratios)))
