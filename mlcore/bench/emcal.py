"""emcal: bad channels, shifts of the level-1 phase, amplitudes of pulses (the EMCAL part of the ALICE slides, 2018).

The slides show pictures and say that the net was biased low; figures are not published. The world is
`mlcore.simulate.emcal`; its strengths were set on seeds 0-4 so that the strongest peer stays below the target.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlcore.conditions import FloatArray, IntArray
from mlcore.detectors.phase import PhaseDetector
from mlcore.emcal import LIMIT, PulseNet, bad_channels, fit_pulses
from mlcore.evaluate import auc
from mlcore.simulate import emcal as world

from .peers import emcal as peers
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "emcal"
CUTS, FOREST = "cuts on hits and mean energy, 5 deviations", "isolation forest, share of bad ones known"
FIT, BARE = "fit", "net on bare samples"
Found = dict[str, dict[str, list[float]]]


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """Five rows: precision, recall, AUC of phases, bias and resolution of amplitudes."""
    used = list(seeds)[:1] if quick else list(seeds)
    found: Found = {}
    watches = {task: Stopwatch() for task in ("channels", "phases", "pulses")}
    limits: list[float] = []
    for seed in used:
        _channels(seed, found, watches["channels"], channels=800 if quick else 3_000)
        limits.append(_phases(seed, found, watches["phases"], runs=9 if quick else 30))
        _pulses(seed, found, watches["pulses"], quick=quick)
    return _rows(found, watches, float(np.mean(limits)), used)


def _note(found: Found, figure: str, name: str, value: float) -> None:
    found.setdefault(figure, {}).setdefault(name, []).append(float(value))


def _channels(seed: int, found: Found, watch: Stopwatch, *, channels: int) -> None:
    drawn = world.spectra(seed, channels=channels)
    with watch.running():
        ours = bad_channels(drawn.counts) > LIMIT
    share = float(drawn.label.mean())
    flagged = {
        "ours": ours,
        CUTS: peers.cuts(drawn.counts, world.SPECTRUM.centres) > 0,
        FOREST: peers.forest(drawn.counts, share=share, random_state=seed) > 0,
    }
    for name, bad in flagged.items():
        right = float((drawn.label[bad] == 1).mean()) if bad.any() else 0.0
        _note(found, "precision", name, right)
        _note(found, "recall", name, float(bad[drawn.label == 1].mean()))


def _phases(seed: int, found: Found, watch: Stopwatch, *, runs: int) -> float:
    drawn = world.times(seed, runs=runs)
    run = drawn.block.conditions.run
    late = run >= np.median(np.unique(run))
    good, asked = drawn.block.select(~late & (drawn.labels == 0)), drawn.block.select(late)
    labels: IntArray = drawn.labels[late]
    with watch.running():
        _note(found, "phase", "ours", auc(PhaseDetector().fit(good).score(asked), labels))
    tests = peers.time_tests(_counts(good.flat), _counts(asked.flat), world.TIME.centres)
    for name, scores in tests.items():
        _note(found, "phase", name, auc(scores, labels))
    return auc(drawn.belief[late], labels)


def _counts(flat: object) -> FloatArray:
    return np.asarray(flat, dtype=np.float64)


def _pulses(seed: int, found: Found, watch: Stopwatch, *, quick: bool) -> None:
    learn = world.pulses(seed, count=2_000 if quick else 20_000, led=True)
    asked = world.pulses(seed, count=2_000 if quick else 20_000)
    answers = {}
    with watch.running():
        net = PulseNet(random_state=seed, epochs=10 if quick else 40)
        answers["ours"] = net.fit(learn.samples, learn.amplitude, learn.time).predict(asked.samples)[0]
    grid = np.arange(-60.0, 60.1, 2.0)
    answers[FIT] = fit_pulses(asked.samples, world.response(grid), grid)[0]
    answers[BARE] = peers.bare_net(learn.samples, learn.amplitude, asked.samples, random_state=seed)
    for name, amplitude in answers.items():
        ratio = amplitude / asked.amplitude - 1.0
        # By height: a bias at one end may not make up for one at the other.
        parts = np.digitize(asked.amplitude, (40.0, 100.0, 250.0))
        _note(found, "bias", name, max(abs(float(ratio[parts == part].mean())) for part in range(4)))
        _note(found, "resolution", name, float(np.sqrt(np.mean(ratio**2))))


def _rows(found: Found, watches: dict[str, Stopwatch], limit: float, seeds: list[int]) -> list[Row]:
    fit = float(np.mean(found["resolution"][FIT]))
    tasks = (
        ("precision", "bad channels: precision", 0.99, "higher", "channels", None, ""),
        ("recall", "bad channels: recall", 0.99, "higher", "channels", None, ""),
        ("phase", "shifts of the level-1 phase, AUC", 0.99, "higher", "phases", limit, (
            "Best possible: the likelihood ratio of one lumisection, its offset known; ours reads its run so far.")),
        ("bias", "amplitudes: largest relative bias in four ranges", 0.005, "lower", "pulses", None, (
            "Published: biased low, without a figure.")),
        ("resolution", "amplitudes: relative error, root mean square; target: the fit", fit, "lower", "pulses", None, (
            "The fit knows the nominal response; the net learned the scatter of responses from LED pulses.")),
    )  # fmt: skip
    rows = []
    for figure, task, target, better, watch, bayes, note in tasks:
        of = found[figure]
        peer = {n: Peer(float(np.mean(v)), float(np.std(v)), 0.0) for n, v in of.items() if n != "ours"}
        rows.append(
            Row(
                NAME,
                task,
                "biased low" if figure == "bias" else "none",
                target,
                float(np.mean(of["ours"])),
                float(np.std(of["ours"])),
                seeds,
                watches[watch].seconds,
                peak_memory_mb(),
                peer,
                better="higher" if better == "higher" else "lower",
                bayes=bayes,
                note=note,
            )
        )
    return rows
