"""How often a promised bound is broken, and what keeping it costs: repeats of the whole calibration.

The world. Scores of good lumisections are N(0, 1), of bad ones N(4, 1). Runs have 200 lumisections; 10% are bad, in
stretches of 22 on average. A share rho = 0.3 of the variance of the score is common to a run, so that errors come
together. One repeat draws 50, 150 or 700 runs, calibrates at pollution = loss = 0.5% with 95% confidence for both
together (97.5% each), and looks up the true rates of the thresholds in the two normal distributions. "Broken" means
that a true rate is above 0.5%. Everything that is compared sees the same draws. The grey zone is the share of
lumisections that nobody decides automatically; the least that anybody could have is that of the two thresholds at which
the true rates are 0.5% exactly.

As a check of the difficulty the naive rule also runs at 5% for each side, as it was measured before (0.23-0.37).

Where the guarantee is weaker than it says (seed 3; share of repeats in which loss / pollution are broken; at 50 runs
200 to 250 repeats, at 150 runs 100 to 150, so that 0.05 is known to 0.015 to 0.02; the promise is 0.05 for both
together):

| world | 50 runs | 150 runs |
|---|---|---|
| rho = 0, no likeness at all | 0.00 / 0.00 | |
| run lengths log-normal, 20 to 1,500 lumisections | 0.005 / 0.045 | 0.00 / 0.02 |
| luminosity that decays fivefold within a run | 0.005 / 0.01 | |
| rho = 0.5 | **0.05 / 0.05** | **0.06 / 0.02** |
| the common shift has heavy tails (Student, 4 degrees of freedom) | **0.07 / 0.04** | **0.07 / 0.06** |

What one run in a hundred does is not seen in 50 runs, and no rule that certifies anything from them can know it. Drift
after the calibration, and wrong labels in it, are outside what any calibration can promise: the audit watches those.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, ndtr

from mlcore.conditions import FloatArray, IntArray
from mlcore.evaluate import scored
from mlcore.selective import SelectivePolicy, Smoothing, loss_sequence, pollution_sequence
from mlcore.selective import Sequence as Thresholds

from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "guarantee"
LIMIT, CONFIDENCE, BAD_SHARE, DISTANCE = 0.005, 0.95, 0.1, 4.0
SIZES = {50: "naive 0.23-0.37", 150: "naive 0.23-0.37", 700: "n/D floor 5: 0.08"}
REPEATS, REPEATS_QUICK = 100, 4  # for each seed
MAPIE_REPEATS, MAPIE_REPEATS_QUICK = {50: 10, 150: 6, 700: 1}, {50: 2, 150: 1, 700: 0}  # for each seed


@dataclass(frozen=True, eq=False)
class Draw:
    score: FloatArray
    label: IntArray
    run: IntArray
    weight: FloatArray

    @property
    def probability_bad(self) -> FloatArray:
        """By Bayes from the marginal distributions: what a perfect calibration of the score would give."""
        prior = np.log(BAD_SHARE / (1 - BAD_SHARE))
        return np.asarray(expit(DISTANCE * self.score - DISTANCE**2 / 2 + prior))

    @cached_property
    def plain_sequences(self) -> tuple[Thresholds, Thresholds]:
        """Pollution and loss at each threshold, for the peers."""
        rows = scored(self.probability_bad, self.label, self.run, self.weight)
        plain = Smoothing(floor=1.0, prior_runs=0.0, neighbour=1.0)
        return pollution_sequence(rows, plain), loss_sequence(rows, plain)


def draw(
    rng: np.random.Generator,
    runs: int,
    *,
    rho: float = 0.3,
    uneven: bool = False,
    heavy: bool = False,
    uneven_weights: bool = False,
) -> Draw:
    """One calibration sample. `uneven` run lengths are log-normal, `heavy` run effects Student with 4 degrees of
    freedom (scaled to the same variance), `uneven_weights` luminosities that decay over a run by a factor of five."""
    lengths = np.maximum(20, rng.lognormal(np.log(200) - 0.32, 0.8, runs)).astype(int) if uneven else np.full(runs, 200)
    run = np.repeat(np.arange(runs), lengths)
    place = np.arange(run.size)
    first = np.append(0, np.cumsum(lengths)[:-1])
    # The state is thrown anew in one of twenty lumisections, else kept: stretches of bad ones, 10% in the long run.
    again = rng.random(run.size) < 0.05
    again[first] = True
    state = rng.random(run.size) < BAD_SHARE
    label = state[np.maximum.accumulate(np.where(again, place, 0))].astype(np.int64)
    common = rng.standard_t(4, runs) / np.sqrt(2) if heavy else rng.standard_normal(runs)
    score = DISTANCE * label + np.sqrt(rho) * common[run] + np.sqrt(1 - rho) * rng.standard_normal(run.size)
    weight = 5.0 ** (-(place - first[run]) / lengths[run]) if uneven_weights else np.ones(run.size)
    return Draw(score, label, run, weight)


def true_rates(t_good: FloatArray, t_bad: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Pollution, loss and grey zone of thresholds on the score, from the generator; -inf and inf for a refused side."""
    bad, good = BAD_SHARE * ndtr(t_good - DISTANCE), (1 - BAD_SHARE) * ndtr(t_good)
    pollution = np.divide(bad, bad + good, out=np.zeros_like(bad), where=bad + good > 0)
    called_bad = BAD_SHARE * ndtr(DISTANCE - t_bad) + (1 - BAD_SHARE) * ndtr(-t_bad)
    return pollution, ndtr(-t_bad), 1 - called_bad - bad - good


def least_grey_zone() -> float:
    """That of the thresholds at which the true rates are the limits: what knowing the distributions would give."""
    t_good = brentq(lambda t: float(true_rates(np.array([t]), np.array([9.0]))[0][0]) - LIMIT, -3.0, 4.0)
    t_bad = brentq(lambda t: float(ndtr(-t)) - LIMIT, 0.0, 6.0)
    return float(true_rates(np.array([min(t_good, t_bad)]), np.array([t_bad]))[2][0])


@dataclass
class Tally:
    """Thresholds that one method chose in the repeats."""

    t_good: list[float] = field(default_factory=list)
    t_bad: list[float] = field(default_factory=list)
    repeat: list[int] = field(default_factory=list)
    watch: Stopwatch = field(default_factory=Stopwatch)

    def add(self, repeat: int, t_good: float, t_bad: float) -> None:
        """Thresholds of the probability, NaN when refused."""
        self.repeat.append(repeat)
        self.t_good.append(_score_at(t_good, -np.inf))
        self.t_bad.append(_score_at(t_bad, np.inf))

    def rates(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Broken pollution and loss (0 or 1) and grey zone of each repeat."""
        low, high = np.array(self.t_good), np.array(self.t_bad)
        pollution, loss, _ = true_rates(low, high)
        _, _, grey = true_rates(np.minimum(low, high), high)
        return (pollution > LIMIT).astype(float), (loss > LIMIT).astype(float), grey


def _score_at(probability: float, refused: float) -> float:
    if np.isnan(probability):
        return refused
    clipped = float(np.clip(probability, 1e-300, 1 - 1e-16))
    odds = np.log(clipped) - np.log1p(-clipped) - np.log(BAD_SHARE / (1 - BAD_SHARE))
    return float(odds / DISTANCE + DISTANCE / 2)


def ours(sample: Draw) -> tuple[float, float]:
    policy = SelectivePolicy(pollution=LIMIT, loss=LIMIT, confidence=CONFIDENCE)
    part = policy.fit(sample.probability_bad, sample.label, sample.run, weights=sample.weight).guarantee_.parts[0]
    sides = (part.pollution, part.loss)
    low, high = (float("nan") if side is None or side.threshold is None else side.threshold for side in sides)
    return low, high


def exact_sequence(
    sample: Draw, *, floor: float, measured: bool, confidence: float = 1 - (1 - CONFIDENCE) / 2
) -> tuple[float, float]:
    """The published recipe: exact binomial (Clopper and Pearson) on errors and n, both divided by D, fixed sequence.

    D is the floor, or the larger of floor and plain run-clustered design effect at the threshold itself.
    """
    chosen = []
    for sequence in sample.plain_sequences:
        effect = (
            np.maximum(floor, np.nan_to_num(sequence.measured_effect, nan=1.0))
            if measured
            else np.full(sequence.n.size, floor)
        )
        divided: Thresholds = replace(
            sequence,
            errors=sequence.rate * sequence.n / effect,
            n=sequence.n / effect,
            design_effect=np.ones(sequence.n.size),
        )
        place = divided.certify(LIMIT, confidence)
        chosen.append(float(sequence.threshold[place]) if place >= 0 else float("nan"))
    return chosen[0], chosen[1]


METHODS: dict[str, Callable[[Draw], tuple[float, float]]] = {
    "naive: exact binomial, fixed sequence": lambda sample: exact_sequence(sample, floor=1.0, measured=False),
    "naive at 5% for each side": lambda sample: exact_sequence(sample, floor=1.0, measured=False, confidence=0.95),
    "exact on n / D, D at the threshold, floor 1": lambda sample: exact_sequence(sample, floor=1.0, measured=True),
    "exact on n / D, D at the threshold, floor 5": lambda sample: exact_sequence(sample, floor=5.0, measured=True),
}
NAIVE, MAPIE = "naive: exact binomial, fixed sequence", "MAPIE 1.6.0, Hoeffding-Bentkus, Holm, 50 thresholds"


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """Nine rows: for 50, 150 and 700 runs how often loss and pollution are broken, and the extra grey zone."""
    from .peers.mapie_ltt import mapie_thresholds

    rows = []
    repeats = REPEATS_QUICK if quick else REPEATS
    for runs in SIZES:
        tallies = {name: Tally() for name in ("ours", *METHODS, MAPIE)}
        with_mapie = (MAPIE_REPEATS_QUICK if quick else MAPIE_REPEATS)[runs]
        for turn, seed in enumerate(seeds):
            for repeat, child in enumerate(np.random.SeedSequence([seed, runs]).spawn(repeats)):
                sample = draw(np.random.default_rng(child), runs)
                methods = {"ours": ours, **METHODS}
                if repeat < with_mapie:
                    methods[MAPIE] = lambda drawn: mapie_thresholds(
                        drawn.probability_bad, drawn.label, limit=LIMIT, confidence=1 - (1 - CONFIDENCE) / 2
                    )
                for name, method in methods.items():
                    with tallies[name].watch.running():
                        chosen = method(sample)
                    tallies[name].add(turn * repeats + repeat, *chosen)
        rows += _rows(runs, list(seeds), {name: tally for name, tally in tallies.items() if tally.t_good})
    return rows


def _rows(runs: int, seeds: list[int], tallies: dict[str, Tally]) -> list[Row]:
    results = {name: tally.rates() for name, tally in tallies.items()}
    naive = float(results[NAIVE][2].mean())
    mine = tallies["ours"]
    grey, least = float(results["ours"][2].mean()), least_grey_zone()
    counts = f"{len(mine.t_good)} repeats"
    if MAPIE in results:
        counts += f", {len(tallies[MAPIE].t_good)} of MAPIE"
    either = float(np.maximum(results["ours"][0], results["ours"][1]).mean())
    made = []
    for what, place in (("loss", 1), ("pollution", 0)):
        peers = {name: _share(result[place], tallies[name]) for name, result in results.items() if name != "ours"}
        value = _share(results["ours"][place], mine)
        note = f"{counts}; spread is the binomial error; one of the two broken: {either:.3f}."
        task = f"{runs} runs: probability that the {what} bound is broken"
        made.append(_row(task, SIZES[runs] if what == "loss" else "", 0.05, value, seeds=seeds, peers=peers, note=note))
    peers = {}
    for name, result in results.items():
        beyond = result[2] - results[NAIVE][2][tallies[name].repeat]
        peers[name] = Peer(
            float(beyond.mean()), float(beyond.std() / np.sqrt(beyond.size)), tallies[name].watch.seconds
        )
    value = peers.pop("ours")
    refused = float(np.mean(np.isinf(mine.t_good) | np.isinf(mine.t_bad)))
    note = (
        f"{counts}; grey zone {grey:.4f} (median {np.median(results['ours'][2]):.4f}), naive {naive:.4f}, least "
        f"possible {least:.4f}; a side refused in {refused:.3f}."
    )
    task = f"{runs} runs: grey zone beyond that of the naive rule"
    made.append(_row(task, "", 0.02, value, seeds=seeds, peers=peers, note=note, bayes=least - naive))
    return made


def _share(broken: FloatArray, tally: Tally) -> Peer:
    share = float(broken.mean())
    return Peer(share, float(np.sqrt(share * (1 - share) / broken.size)), tally.watch.seconds)


def _row(
    task: str,
    published: str,
    target: float,
    value: Peer,
    *,
    seeds: list[int],
    peers: dict[str, Peer],
    note: str,
    bayes: float | None = None,
) -> Row:
    return Row(
        name=NAME,
        task=task,
        published=published,
        target=target,
        value=value.value,
        spread=value.spread,
        seeds=seeds,
        seconds=value.seconds,
        peak_memory_mb=peak_memory_mb(),
        peers=peers,
        better="lower",
        bayes=bayes,
        note=note,
    )
