"""decorrelation: a score that keeps its AUC and says nothing about luminosity.

Nothing is published with figures for monitoring. Half of the 24 features follow luminosity, some in place, some in
width; bad lumisections shift a few of them, and are more frequent at low luminosity, as ends of fills are. Peers: the
same net without an adversary; the net on features freed of luminosity (conditioning). AUC is lost against the better of
the two: both could be used instead. Correlation is of scores of good lumisections.
"""

# ruff: noqa: N806  # X is what scikit-learn calls it
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.decorrelate import AdversarialClassifier, FlatScore, distance_correlation
from mlcore.detectors.conditioning import Conditioner
from mlcore.evaluate import auc
from mlcore.features import FeatureTable

from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "decorrelation"
FEATURES, AFFECTED, STRENGTH = 24, 6, 1.15
PLAIN, CONDITIONED, ALONE, OURS = (
    "no decorrelation", "conditioning alone", "adversary alone", "ours: conditioning, adversary, flat score",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class World:
    table: FeatureTable
    labels: IntArray
    limit: FloatArray  # log-likelihood ratio of the features given luminosity


def draw(seed: int, *, rows: int) -> World:
    rng = np.random.default_rng(np.random.SeedSequence([seed, 79]))
    light = rng.beta(2.0, 2.0, rows)
    labels = (rng.random(rows) < 0.25 * (1.0 - 0.7 * light)).astype(np.int64)
    slopes, bends = rng.normal(0.0, 2.5, FEATURES), rng.normal(0.0, 1.5, FEATURES)
    slopes[FEATURES // 2 :] = bends[FEATURES // 2 :] = 0.0
    # Widths grow where few events are left, and what saturates bends at once: a polynomial does not take that off.
    width = 1.0 + np.where(np.arange(FEATURES) % 2 == 0, 2.0, 0.0) * (1.0 - light[:, None]) ** 2
    mean = slopes * (light[:, None] - 0.5) + bends * (light[:, None] - 0.5) ** 2
    mean += rng.normal(0.0, 6.0, FEATURES) * np.maximum(light[:, None] - 0.6, 0.0) * (slopes != 0)
    shift = np.zeros(FEATURES)
    shift[rng.permutation(FEATURES)[:AFFECTED]] = STRENGTH * rng.choice([-1, 1], AFFECTED)
    noise = width * rng.normal(size=(rows, FEATURES))
    values = mean + noise + labels[:, None] * shift
    left = values - mean
    limit = ((left * shift - shift**2 / 2) / width**2).sum(axis=1)
    number = np.arange(rows)
    conditions = Conditions(run=1 + number // 100, lumisection=1 + number % 100, luminosity=400.0 * light)
    names = tuple(f"feature {place}" for place in range(FEATURES))
    return World(FeatureTable(values, names, ("all",) * FEATURES, conditions), labels, limit)


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """Two rows: AUC lost, distance correlation left."""
    areas: dict[str, list[float]] = {}
    ties: dict[str, list[float]] = {}
    watches: dict[str, Stopwatch] = {}
    limits = []
    rows = 3_000 if quick else 15_000
    for seed in list(seeds)[:1] if quick else seeds:
        world = draw(seed, rows=rows)
        third = rows // 3
        asked = np.arange(2 * third, rows)
        labels, light = world.labels[asked], world.table.conditions.luminosity[asked]
        for name, scores in _scores(world, third, seed, watches, epochs=8 if quick else 30).items():
            areas.setdefault(name, []).append(auc(scores, labels))
            ties.setdefault(name, []).append(abs(distance_correlation(scores[labels == 0], light[labels == 0])))
        limits.append(auc(world.limit[asked], labels))
    return _rows(areas, ties, watches, limits, list(seeds))


def _scores(
    world: World, third: int, seed: int, watches: dict[str, Stopwatch], *, epochs: int
) -> dict[str, FloatArray]:
    """Scores of the last third; the first teaches the nets, good rows of the second what is usual at a luminosity."""
    light = world.table.conditions.luminosity
    learn, check, asked = (np.arange(part * third, min((part + 1) * third, len(light))) for part in range(3))
    asked = np.arange(2 * third, len(light))
    quiet = check[world.labels[check] == 0]
    good = learn[world.labels[learn] == 0]
    raw = world.table.values
    freed = np.asarray(
        Conditioner(by_events=False).fit(world.table.select(good)).transform(world.table), dtype=np.float64
    )
    freed = np.column_stack([freed, light / 400.0 - 0.5])
    found = {}
    for name, X, strength in (
        (PLAIN, raw, 0.0),
        (CONDITIONED, freed[:, :-1], 0.0),
        (ALONE, raw, 3.0),
        (OURS, freed, 1.0),
    ):
        with watches.setdefault(name, Stopwatch()).running():
            net = AdversarialClassifier(strength=strength, epochs=epochs, random_state=seed)
            net.fit(X[learn], world.labels[learn], light[learn])
            found[name] = net.decision_function(X[asked])
            if name == OURS:
                flat = FlatScore().fit(net.decision_function(X[quiet]), light[quiet])
                found[name] = flat.transform(found[name], light[asked])
    return found


def _rows(
    areas: dict[str, list[float]], ties: dict[str, list[float]], watches: dict[str, Stopwatch], limits: list[float],
    seeds: list[int],
) -> list[Row]:  # fmt: skip
    best = np.maximum(areas[PLAIN], areas[CONDITIONED])
    lost = {name: best - np.asarray(area) for name, area in areas.items()}
    words = "; ".join(f"{name} {float(np.mean(area)):.4f}" for name, area in areas.items())

    def row(task: str, target: float, of: dict[str, FloatArray], **more: object) -> Row:
        peers = {
            name: Peer(float(np.mean(of[name])), float(np.std(of[name])), watches[name].seconds)
            for name in of
            if name != OURS
        }
        return Row(
            NAME, task, "none", target, float(np.mean(of[OURS])), float(np.std(of[OURS])), seeds,
            watches[OURS].seconds, peak_memory_mb(), peers, better="lower", **more,  # type: ignore[arg-type]
        )  # fmt: skip

    note = f"AUC: {words}; best possible {float(np.mean(limits)):.4f}, by the likelihood ratio at known luminosity."
    return [
        row("AUC lost against the better of plain and conditioned", 0.005, lost, note=note),
        row(
            "distance correlation with luminosity, good lumisections", 0.05, {k: np.asarray(v) for k, v in ties.items()}
        ),
    ]
