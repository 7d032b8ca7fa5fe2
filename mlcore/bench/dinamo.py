"""Table `dinamo`: runs that drift, jump and fail (arXiv:2501.19237), with true confirmations and with 5% wrong ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score, roc_curve

from mlcore.conditions import FloatArray, IntArray
from mlcore.detectors.ewma import EwmaReference
from mlcore.simulate.dinamo import DinamoRuns, DinamoToy

from .peers.dinamo_s import dinamo_s
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "dinamo"
MEMORIES = (0.3, 0.5, 0.7, 0.8, 0.9)
#: Our reference is begun on so many runs; parameters and thresholds are chosen on the first `CHOOSE`.
BEGIN = 200
NOTE = (
    "Threshold (and alpha of DINAMO-S) chosen on the first fifth of the runs with the labels given there; measured "
    "with true labels on the rest. The limit is an oracle that knows mean and width of every run."
)


@dataclass(frozen=True)
class _Sample:
    runs: DinamoRuns
    given: IntArray
    choose: int


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """AUC and balanced accuracy, with true labels and with 5% wrong ones, of 5,000 runs per seed."""
    runs = 1500 if quick else 5000
    rows = []
    for share, words in ((0.0, "true labels"), (0.05, "5% wrong labels")):
        ours, theirs, limits = [], [], []
        watch, their_watch = Stopwatch(), Stopwatch()
        for seed in seeds[:2] if quick else seeds:
            sample = _draw(seed, share, runs)
            with watch.running():
                scores = _ours(sample)
            ours.append(_measured(sample, scores))
            with their_watch.running():
                scores = _dinamo_s(sample)
            theirs.append(_measured(sample, scores))
            limits.append(_limit(sample))
        for column, (what, published, target) in enumerate(
            (("AUC", "0.983 (DINAMO-S)", 0.99), ("balanced accuracy", "0.942 (DINAMO-S)", 0.96))
        ):
            mine, peer = np.array(ours)[:, column], np.array(theirs)[:, column]
            rows.append(
                Row(
                    name=NAME,
                    task=f"{what}, {words}",
                    published=published,
                    target=target,
                    value=float(mine.mean()),
                    spread=float(mine.std()),
                    seeds=list(seeds[: len(mine)]),
                    seconds=watch.seconds,
                    peak_memory_mb=peak_memory_mb(),
                    peers={"DINAMO-S": Peer(float(peer.mean()), float(peer.std()), their_watch.seconds)},
                    bayes=float(np.array(limits)[:, column].mean()),
                    note=NOTE,
                )
            )
    return rows


def _draw(seed: int, share: float, runs: int) -> _Sample:
    world, wrong = np.random.SeedSequence(seed).spawn(2)
    drawn = DinamoToy().draw(runs, np.random.default_rng(world))
    given = drawn.mislabelled(share, np.random.default_rng(wrong)) if share else drawn.labels
    return _Sample(drawn, given, runs // 5)


def _ours(sample: _Sample) -> FloatArray:
    block, given = sample.runs.block, sample.given
    begin = min(BEGIN, sample.choose // 2)
    detector = EwmaReference().fit(block.select(slice(0, begin)), given[:begin])
    return np.concatenate([np.full(begin, np.nan), detector.follow(block.select(slice(begin, None)), given[begin:])])


def _dinamo_s(sample: _Sample) -> FloatArray:
    counts, head = sample.runs.block.counts, slice(sample.choose // 10, sample.choose)
    scores = [dinamo_s(counts, sample.given, memory=memory) for memory in MEMORIES]
    return max(scores, key=lambda tried: float(roc_auc_score(sample.given[head], tried[head])))


def _measured(sample: _Sample, scores: FloatArray) -> tuple[float, float]:
    """AUC and balanced accuracy after the head, with the threshold of the head."""
    truth, tail = sample.runs.labels, slice(sample.choose, None)
    head = np.flatnonzero(np.isfinite(scores[: sample.choose]))
    threshold = steady_threshold(sample.given[head], scores[head])
    flagged = scores[tail] > threshold
    bad = truth[tail] == 1
    accuracy = (flagged[bad].mean() + (~flagged[~bad]).mean()) / 2
    return float(roc_auc_score(truth[tail], scores[tail])), float(accuracy)


def _limit(sample: _Sample) -> tuple[float, float]:
    tail = slice(sample.choose, None)
    odds, truth = DinamoToy().oracle(sample.runs)[tail], sample.runs.labels[tail]
    false, true, _ = roc_curve(truth, odds)
    return float(roc_auc_score(truth, odds)), float(((1 - false + true) / 2).max())


def steady_threshold(labels: npt.NDArray[np.int64], scores: FloatArray, *, slack: float = 0.01) -> float:
    """The geometric middle of the thresholds whose balanced accuracy is within `slack` of the best.

    Scores are positive. The very best threshold is unsteady when bad runs are few or labels wrong.
    """
    false, true, thresholds = roc_curve(labels, scores, drop_intermediate=False)
    accuracy = (1 - false + true) / 2
    good = thresholds[np.isfinite(thresholds) & (accuracy >= accuracy.max() - slack)]
    return float(np.sqrt(max(good.min(), 1e-12) * max(good.max(), 1e-12)))
