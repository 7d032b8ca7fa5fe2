"""Pictures of what the other systems' detectors and tools do, for docs/other-systems.md: seed 100, small samples of the
tables' own worlds.

    python docs/draw_other_systems.py [NAME ...]     # all without a name; some minutes

Every figure is computed here, by the classes and simulators that the tables measure.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

from mlcore.bench import decorrelation, emcal, intervals
from mlcore.bench.peers.emcal import bare_net
from mlcore.course import error_course
from mlcore.decorrelate import distance_correlation
from mlcore.detectors.elements_autoencoder import ElementsAutoencoder
from mlcore.detectors.occupancy_cnn import OccupancyCnn
from mlcore.detectors.phase import PhaseDetector
from mlcore.detectors.pulses import PulsesDetector
from mlcore.detectors.rates import RatesDetector
from mlcore.emcal import LIMIT, PulseNet, bad_channels, fit_pulses
from mlcore.evaluate import auc
from mlcore.features import bin_features
from mlcore.simulate import emcal as cells
from mlcore.simulate.hcal import HcalDetector
from mlcore.simulate.met import met_runs
from mlcore.simulate.plots_style import COLOURS, GREY, save, tidy
from mlcore.simulate.slow_control import slow_control
from mlcore.simulate.trigger_runs import rate_runs
from mlcore.uncertainty.places import coverage_by_place, draw_coverage

SEED: Final = 100
FOLDER: Final = Path(__file__).parent / "plots" / "other-systems"
BLUE, ORANGE, GREEN, RED, *_ = COLOURS
LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)


def rates() -> Any:
    """A rate with prescale steps and a fault, in the bands of its forecast."""
    world = rate_runs(SEED, runs=30)
    run = world.table.conditions.run
    early = run < np.unique(run)[20]
    detector = RatesDetector().fit(world.table.select(early), world.labels[early])
    later = [number for number in np.unique(run[~early]) if 8 <= world.labels[run == number].sum() <= 40]
    here = run == later[0]
    table, bad = world.table.select(here), world.labels[here] == 1
    pulls = np.nan_to_num(np.abs(detector.pulls(table)))
    column = int(np.argmax(pulls[bad].mean(axis=0)))
    bands = detector.quantiles(table, LEVELS)[:, column]
    name = detector.columns_[column]
    value = table.values[:, table.names.index(name)]
    figure, axis = plt.subplots(figsize=(8.6, 3.2))
    _bands(axis, table.conditions.lumisection, bands)
    axis.plot(table.conditions.lumisection, value, ".", color="black", ms=3.5, label="measured")
    axis.plot(table.conditions.lumisection[bad], value[bad], "o", color=RED, ms=4, label="while something is wrong")
    axis.set(xlabel="lumisection", ylabel=f"{name} [Hz]")
    axis.legend(fontsize=7, frameon=False, ncols=4)
    tidy(axis)
    return figure


def pulses() -> Any:
    """Readings of a pulsed magnet around the beginning of a fault, in the bands of their forecast."""
    learned, asked = slow_control(SEED, runs=6), slow_control(SEED + 1, runs=4, faulty=True)
    detector = PulsesDetector().fit(learned.block)
    numbers = np.unique(asked.block.conditions.run)
    kinds = ((0, "pulses too low"), (3, "one pulse of the supercycle missing"))
    figure, axes = plt.subplots(len(kinds), 1, figsize=(8.6, 4.6))
    for axis, (kind, words) in zip(axes, kinds, strict=True):
        here = asked.block.conditions.run == numbers[kind]
        block, bad = asked.block.select(here), asked.labels[here] == 1
        first = int(np.flatnonzero(bad)[0])
        rows = slice(first - 2, first + 4)
        bands = detector.quantiles(block, LEVELS)[rows].reshape(-1, len(LEVELS)) / 1e3
        minutes = np.arange(len(bands)) / 60.0 + block.conditions.lumisection[first - 2]
        _bands(axis, minutes, bands)
        axis.plot(minutes, block.flat[rows].ravel() / 1e3, ".", color="black", ms=1.8, label="read")
        axis.axvspan(block.conditions.lumisection[first], minutes[-1], color=RED, alpha=0.07, lw=0, label=words)
        axis.set(ylabel="current [kA]")
        axis.legend(fontsize=7, frameon=False, ncols=4, loc="upper right")
        tidy(axis)
    axes[-1].set_xlabel("lumisection, 60 readings each")
    return figure


def elements() -> Any:
    """The mean squared error of two elements along a run, spikes marked."""
    world = met_runs(SEED)
    run = world.conditions.run
    early = run <= np.unique(run)[70]
    table = bin_features(world.blocks)
    detector = ElementsAutoencoder(random_state=0).fit(table.select(early), world.labels[early])
    later = np.unique(run[~early])
    number = max(later, key=lambda one: int(world.labels[run == one].sum()))
    return error_course(detector, table, int(number)).draw(plt)


def maps() -> Any:
    """How the classifier of maps learned."""
    world = HcalDetector(SEED)
    return OccupancyCnn(random_state=0).fit(world.maps(900, size=5).good).curves_.draw(plt)


def adversary() -> Any:
    """Of five seeds, how far a score still follows luminosity on good lumisections, and how well it finds bad ones."""
    rows = 9_000
    third = rows // 3
    asked = np.arange(2 * third, rows)
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in range(SEED, SEED + 5):
        world = decorrelation.draw(seed, rows=rows)
        labels, light = world.labels[asked], world.table.conditions.luminosity[asked]
        good = labels == 0
        for name, scores in decorrelation._scores(world, third, seed, {}, epochs=20).items():
            tie = abs(distance_correlation(scores[good], light[good]))
            found.setdefault(name, []).append((tie, auc(scores, labels)))
    figure, axis = plt.subplots(figsize=(7.0, 3.6))
    for colour, mark, (name, points) in zip(COLOURS, "osDP", found.items(), strict=False):
        ties, areas = np.array(points).T
        words = f"{name} (mean {ties.mean():.3f}, {areas.mean():.3f})"
        axis.plot(ties, areas, mark, color=colour, ms=5, alpha=0.45)
        axis.plot(ties.mean(), areas.mean(), mark, color=colour, ms=11, mec="white", label=words)
    axis.axvline(0.05, color=GREY, lw=1.0, ls="--")
    axis.set(xlabel="distance correlation with luminosity, good lumisections (dashed: target)", ylabel="AUC")
    axis.legend(fontsize=7, frameon=False)
    tidy(axis)
    return figure


def coverage() -> None:
    """Which intervals to believe where: coverage from dense to sparse places."""
    world = intervals.draw(SEED, rows=4_000, asked=3_000)
    wanted = {name: make for name, make in intervals.methods(SEED).items() if name != intervals.SLOWEST}
    models = {name: make().fit(world.X, world.y) for name, make in wanted.items()}
    asked = [np.concatenate([world.asked[region][part] for region in intervals.REGIONS]) for part in (0, 1)]
    draw_coverage(coverage_by_place(models, world.X, *asked), FOLDER / "coverage.png")


def amplitudes() -> Any:
    """Bias and spread of amplitudes by height, for the fit, a bare net, and the net put right."""
    learn, asked = cells.pulses(SEED, count=12_000, led=True), cells.pulses(SEED, count=20_000)
    grid = np.arange(-60.0, 60.1, 2.0)
    answers = {
        emcal.FIT: fit_pulses(asked.samples, cells.response(grid), grid)[0],
        emcal.BARE: bare_net(learn.samples, learn.amplitude, asked.samples, random_state=SEED),
        "small net, put right": PulseNet(random_state=SEED, epochs=40)
        .fit(learn.samples, learn.amplitude, learn.time)
        .predict(asked.samples)[0],
    }
    edges = np.geomspace(20.0, 900.0, 11)
    part = np.clip(np.digitize(asked.amplitude, edges) - 1, 0, 9)
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.2))
    for colour, (name, amplitude) in zip((GREY, ORANGE, BLUE), answers.items(), strict=True):
        ratio = 100.0 * (amplitude / asked.amplitude - 1.0)
        x = [asked.amplitude[part == place].mean() for place in range(10)]
        axes[0].plot(x, [ratio[part == place].mean() for place in range(10)], "o-", color=colour, ms=3.5, label=name)
        axes[1].plot(x, [ratio[part == place].std() for place in range(10)], "o-", color=colour, ms=3.5, label=name)
    axes[0].axhspan(-0.5, 0.5, color=GREEN, alpha=0.12, lw=0)
    for axis, words in zip(axes, ("bias [%], band: what must be reached", "spread [%]"), strict=True):
        axis.set(xscale="log", xlabel="true amplitude [ADC counts]", ylabel=words)
        axis.set_xticks([30, 100, 300, 900], ["30", "100", "300", "900"])
        axis.minorticks_off()
        tidy(axis)
    axes[0].legend(fontsize=7, frameon=False)
    return figure


def channels() -> Any:
    """Spectra of channels by what is wrong with them, and how far off each channel is."""
    world = cells.spectra(SEED)
    off = bad_channels(world.counts)
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 3.2))
    bad = world.label == 1
    for counts, colour, words in ((world.counts[~bad][:40], GREY, "good"), (world.counts[bad][:8], RED, "bad")):
        for place, one in enumerate(counts):
            axes[0].step(
                cells.SPECTRUM.centres, np.maximum(one, 0.3), where="mid", color=colour, lw=0.8,
                alpha=0.25 if colour == GREY else 0.9, label=words if place == 0 else None,
            )  # fmt: skip
    axes[0].set(yscale="log", xlabel="energy [GeV]", ylabel="hits of a channel")
    edges = np.linspace(0.0, min(float(np.quantile(off, 0.999)), 40.0), 60)
    for mask, colour, words in ((~bad, GREY, "good"), (bad, RED, "bad")):
        axes[1].hist(np.clip(off[mask], edges[0], edges[-1]), edges, color=colour, alpha=0.7, label=words)
    axes[1].axvline(LIMIT, color="black", lw=1.0, ls="--")
    axes[1].set(yscale="log", xlabel="how far off (dashed: limit)", ylabel="channels")
    for axis in axes:
        axis.legend(fontsize=7, frameon=False)
        tidy(axis)
    return figure


def phases() -> Any:
    """A run whose read-out phase shifts: where its times lie, and what the detector has added up by then."""
    world = cells.times(SEED, runs=40)
    run, late = world.block.conditions.run, world.block.conditions.run >= 600_020
    detector = PhaseDetector().fit(world.block.select(~late & (world.labels == 0)))
    number = next(one for one in np.unique(run[late]) if world.labels[run == one].any())
    block, bad = world.block.select(run == number), world.labels[run == number] == 1
    figure, axes = plt.subplots(2, 1, figsize=(8.6, 4.2), sharex=True)
    lumisection = block.conditions.lumisection
    edges = np.append(lumisection - 0.5, lumisection[-1] + 0.5)
    axes[0].pcolormesh(edges, cells.TIME.edges, np.sqrt(block.flat).T, cmap="Blues", rasterized=True)
    axes[0].set(ylabel="time of hits [ns]", ylim=(-60, 90))
    axes[1].plot(lumisection, detector.score(block), "-", color=BLUE, lw=1.4)
    axes[1].axvspan(lumisection[bad][0] - 0.5, lumisection[-1] + 0.5, color=RED, alpha=0.08, lw=0, label="phase off")
    axes[1].set(xlabel="lumisection", ylabel="log-likelihood ratio")
    axes[1].legend(fontsize=7, frameon=False)
    for axis in axes:
        tidy(axis, grid=False)
    return figure


def _bands(axis: Any, x: Any, bands: Any) -> None:
    axis.fill_between(x, bands[:, 0], bands[:, -1], color=BLUE, alpha=0.18, lw=0, label="5 to 95%")
    axis.fill_between(x, bands[:, 1], bands[:, -2], color=BLUE, alpha=0.30, lw=0, label="25 to 75%")


PICTURES: Final[dict[str, Callable[[], Any]]] = {
    "rates": rates,
    "pulses": pulses,
    "elements": elements,
    "maps": maps,
    "decorrelation": adversary,
    "coverage": coverage,
    "amplitudes": amplitudes,
    "channels": channels,
    "phases": phases,
}


def main(names: list[str]) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or list(PICTURES):
        figure = PICTURES[name]()
        if figure is not None:
            size = save(figure, FOLDER / f"{name}.png")
            plt.close(figure)
            sys.stdout.write(f"{name}.png, {size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main(sys.argv[1:])
