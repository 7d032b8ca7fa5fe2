"""Pictures of what the detector sees: maps, shapes, drift over the year, trigger rates."""

from __future__ import annotations

from typing import Any

import numpy as np

from .defects import Defect
from .elements import GLOBAL
from .families import BY_NAME, SHORT
from .machine import START, STOPS
from .plots_style import COLOURS, GREY, tidy
from .rates import NAMES
from .world import World

SHOWN_MAPS = (
    ("EcalBarrel/occupancy", "LAR_FEB_MISSING", 0.6, 1),
    ("Hcal/occupancyDepth1", "TILE_LBA_MODULE_OFF", 1.0, 10),
    ("Pixel/BarrelLayer2/clusters", "PIXEL_BARREL_DISABLED", 0.3, 1),
)
SHOWN_SHAPES = (
    ("Pixel/BarrelLayer1/charge", "PIXEL_DESYNC", 0.4), ("Trt/charge", "TRT_GAIN_SHIFT", 0.6),
    ("HcalBarrel/time", "TILE_LBC_TIMING", 0.4), ("EcalBarrel/pulseChi2", "LAR_NOISEBURST", 0.2),
    ("Tracking/vertexZ", "ID_BS_SHIFT", 0.6), ("Tracking/chi2PerNdof", "GLOBAL_SOLENOID_OFF", 1.0),
    ("Strips/charge", "SCT_ROD_BUSY", 0.6), ("Strips/clustersPerEvent", "SCT_MOD_OUT", 1.0),
    ("JetMET/METSig", "LAR_NOISEBURST", 0.3),
)  # fmt: skip


def with_defect(world: World, name: str, strength: float) -> tuple[World, int, int]:
    """(the same year with one defect of this family in a good run and nothing else, the run, its first lumisection)."""
    year = world.year
    busy = np.flatnonzero(year.physics & (year.conditions.events > 800))
    middle = int(busy[len(busy) // 2])
    place = int(year.run_place[middle])
    inside = np.flatnonzero(year.physics & (year.run_place == place))
    start = int(inside[len(inside) // 2])
    defect = Defect(0, BY_NAME[name], strength, SHORT, start, start + 10)
    other = World(year=year, prevalence=world.prevalence, defects=(defect,), truth={}, labels={}, split={},
                  streams=world.streams)  # fmt: skip
    return other, place, start - int(year.runs.first[place])


def plot_maps(world: World, plt: Any) -> Any:
    """Occupancy maps: a good lumisection, one with a fault, and the pulls of the latter."""
    figure, axes = plt.subplots(len(SHOWN_MAPS), 3, figsize=(9.2, 7.6))
    # Few colours make small files, and steps that can be read off the bar.
    colours, signed = plt.get_cmap("viridis", 24), plt.get_cmap("RdBu_r", 13)
    for line, (element, family, strength, stacked) in zip(axes, SHOWN_MAPS, strict=True):
        other, place, first = with_defect(world, family, strength)
        block, mean = other.block(element, [place]), other.expected(element, place, healthy=True)
        good, bad = slice(first - stacked, first), slice(first, first + stacked)
        counts = block.counts[bad].sum(axis=0)
        expected = mean[bad].sum(axis=0)
        pulls = (counts - expected) / np.sqrt(np.maximum(expected, 1.0))
        top = np.percentile(counts, 99.5)
        pictures = (
            (block.counts[good].sum(axis=0), {"vmin": 0, "vmax": top, "cmap": colours}, f"{element}, good"),
            (counts, {"vmin": 0, "vmax": top, "cmap": colours}, f"{family}, strength {strength:g}"),
            (pulls, {"vmin": -6.5, "vmax": 6.5, "cmap": signed}, "pulls against what is expected when good"),
        )
        for axis, (values, how, words) in zip(line, pictures, strict=True):
            shown = np.where(block.counts.max(axis=0) > 0, values, np.nan)
            image = axis.imshow(shown, aspect="auto", origin="lower", interpolation="nearest", **how)
            bar = figure.colorbar(image, ax=axis, fraction=0.05, pad=0.02)
            bar.ax.tick_params(labelsize=6)
            axis.set_title(words, fontsize=7.5, loc="left")
            axis.set_xlabel(f"{block.axes[1].name} bin")
            axis.set_ylabel(f"{block.axes[0].name} bin")
            tidy(axis, grid=False)
        line[0].set_ylabel(f"{line[0].get_ylabel()}, {stacked} LS")
    return figure


def plot_shapes(world: World, plt: Any) -> Any:
    """Nine histograms of one lumisection each: what is expected, and what came with a fault."""
    figure, axes = plt.subplots(3, 3, figsize=(9.2, 7.4))
    for axis, (element, family, strength) in zip(axes.ravel(), SHOWN_SHAPES, strict=True):
        other, place, first = with_defect(world, family, strength)
        block, mean = other.block(element, [place]), other.expected(element, place, healthy=True)
        centres, row = block.axes[0].centres, first + 1
        axis.step(centres, mean[row], where="mid", color=GREY, lw=1.1, label="expected when good")
        axis.plot(centres, block.counts[first - 3], ".", ms=2.5, color=COLOURS[0], label="good lumisection")
        axis.plot(centres, block.counts[row], ".", ms=2.5, color=COLOURS[3], label="with the defect")
        axis.set_title(f"{family}, {strength:g}", fontsize=7.5, loc="left")
        axis.set_xlabel(f"{element}" + (f" [{block.axes[0].unit}]" if block.axes[0].unit else ""))
        if family == "LAR_NOISEBURST":  # what it adds lies in the tail
            axis.set_yscale("log")
            axis.set_ylim(bottom=0.8)
        else:
            axis.set_ylim(bottom=0)
        tidy(axis)
    axes[0, 0].legend(fontsize=6.5, frameon=False)
    return figure


def plot_drift(world: World, plt: Any) -> Any:
    """Over the year: pile-up, gain with its calibrations, charge, vertices, temperature."""
    year = world.year
    good = year.physics & (world.truth[GLOBAL].family < 0)
    days, ecal = year.day, world.drift["ECAL"]
    figure, axes = plt.subplots(5, 1, figsize=(8.6, 8.2), sharex=True)
    axes[0].plot(days[good], year.conditions.pileup[good], ",", color=COLOURS[0])
    axes[0].set_ylabel("pile-up")
    axes[1].plot(days[good], 100 * (ecal.state.gain[good] - 1), ",", color=COLOURS[1])
    axes[1].set_ylabel("ECAL gain [%]")
    for step in ecal.steps:
        if step.kind != "menu":
            axes[1].axvline((step.time - START) / 86_400, color=COLOURS[3] if step.kind == "replacement" else GREY,
                            lw=0.9, ls="--")  # fmt: skip
    _means(world, axes[2], "Pixel/BarrelLayer1/charge", "layer 1 charge\nmedian [ke]", 1e-3)
    _means(world, axes[3], "Tracking/vertexZ", "vertex z\nmedian [mm]", 1.0)
    axes[4].plot(days, year.temperature, ",", color=COLOURS[2])
    axes[4].set_ylabel("cavern [°C]")
    axes[4].set_xlabel("days since 20 April")
    for axis in axes:
        for first, last in STOPS:
            axis.axvspan(first, last, color="#eeeeee", lw=0, zorder=0)
        tidy(axis)
    axes[0].set_title(
        "Nothing here is a defect. Grey: technical stops; dashed: calibrations (grey), hardware replaced (red)",
        fontsize=9, loc="left",
    )  # fmt: skip
    return figure


def _means(world: World, axis: Any, element: str, words: str, unit: float) -> None:
    """The median of an element in single good lumisections, every third of every second run."""
    year = world.year
    good = year.physics & (world.truth[GLOBAL].family < 0)
    for place in range(0, len(year.runs), 2):
        rows = np.arange(len(year))[year.runs.rows(place)]
        if good[rows].sum() < 5:
            continue
        block = world.block(element, [place])
        keep = np.flatnonzero(good[rows] & (block.totals > 500))[::3]
        below = np.cumsum(block.counts[keep], axis=1) / block.totals[keep, None]
        edges = block.axes[0].edges[1:]
        medians = [float(np.interp(0.5, line, edges)) * unit for line in below]
        axis.plot(year.day[rows][keep], medians, ",", color=COLOURS[4])
    axis.set_ylabel(words)


def plot_rates(world: World, plt: Any) -> Any:
    """Rates against pile-up: a level-1 item, a prescaled one, and a chain behind each."""
    year, places = world.year, [p for p in range(0, len(world.year.runs), 2) if world.year.runs.mode[p] == 0]
    rates, rows = world.rates(places), world.rows(places)
    full = (year.fills.bunches[year.fill_place[rows]] == 2400) & year.physics[rows]
    wrong = world.truth["TRIG"].family[rows] >= 0
    figure, axes = plt.subplots(2, 3, figsize=(9.2, 5.4))
    shown = ("L1_EM22VHI", "HLT_e26_tight", "L1_XE50", "HLT_xe110", "L1_EM3", "HLT_mu26_iso")
    for axis, name in zip(axes.ravel(), shown, strict=True):
        column = rates.values[:, NAMES.index(name)]
        for mask, colour, words in ((full & ~wrong, COLOURS[0], "good"), (full & wrong, COLOURS[3], "TRIG defect")):
            axis.plot(year.conditions.pileup[rows][mask], column[mask], ",", color=colour)
            axis.plot([], [], "o", ms=3, color=colour, label=words)
        axis.set_title(name, fontsize=8, loc="left")
        axis.set_xlabel("pile-up")
        axis.set_ylabel("rate [Hz]")
        axis.set_ylim(bottom=0)
        tidy(axis)
    axes[0, 0].legend(fontsize=7, frameon=False)
    return figure
