"""`python -m mlcore.simulate.plots --out docs/plots/simulator [--size m] [--seed 1]`: looks at a simulated world.

Needs matplotlib, which mlcore itself does not. Each picture is a small PNG that shows one aspect of the world.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.conditions import FloatArray

from .defects import Defect
from .elements import GLOBAL, SYSTEMS
from .families import FAMILIES
from .machine import HOUR, Mode
from .plots_detector import plot_drift, plot_maps, plot_rates, plot_shapes
from .plots_style import COLOURS, GREY, save, tidy
from .world import World, simulate

STATES = {1: ("ramp", "#e8e8e8"), 2: ("adjust", "#cfcfcf")}


def plot_fill(world: World, plt: Any) -> Any:
    """Luminosity, pile-up, events, dead time and background of a levelled fill."""
    year = world.year
    levelled = np.flatnonzero((year.fills.levelled > 1.0) & (year.fills.mode == Mode.PROTONS))
    length = np.bincount(year.fill_place, minlength=len(year.fills.number))
    place = int(levelled[np.argmax(length[levelled])])
    rows = np.flatnonzero(year.fill_place == place)
    hours = (year.conditions.time[rows] - year.fills.start[place]) / HOUR
    figure, axes = plt.subplots(4, 1, figsize=(8.6, 7.4), sharex=True, height_ratios=[3, 2, 1.4, 1.4])
    axes[0].plot(hours, year.instantaneous[rows], ".", ms=2.5, color=COLOURS[0])
    axes[0].set_ylabel("luminosity [Hz/nb]")
    per_bunch = year.conditions.pileup[rows].max() / max(year.instantaneous[rows].max(), 1e-9)
    right = axes[0].secondary_yaxis("right", functions=(lambda y: y * per_bunch, lambda y: y / per_bunch))
    right.set_ylabel("pile-up", fontsize=8)
    right.tick_params(labelsize=7)
    axes[1].plot(hours, year.conditions.events[rows], ".", ms=2.5, color=COLOURS[1])
    axes[1].set_ylabel("events per\nlumisection")
    axes[2].plot(hours, 100 * (1 - year.live[rows]), ".", ms=2.5, color=COLOURS[2])
    axes[2].set_ylabel("dead time [%]")
    axes[2].set_yscale("log")
    axes[3].plot(hours, year.background[rows], ".", ms=2.5, color=COLOURS[3])
    axes[3].set_ylabel("background\n[a.u.]")
    axes[3].set_yscale("log")
    axes[3].set_xlabel(f"hours since the first run of fill {year.fills.number[place]} began")
    for axis in axes:
        _shade(axis, hours, year.beam[rows])
        for run in np.unique(year.run_place[rows])[1:]:
            axis.axvline((year.runs.start[run] - year.fills.start[place]) / HOUR, color=GREY, lw=0.7, ls=":")
        tidy(axis)
    axes[0].set_title(
        f"Fill {year.fills.number[place]}: {year.fills.bunches[place]:,} bunches, levelled for "
        f"{year.fills.levelled[place]:.1f} h, then a lifetime of {year.fills.lifetime[place]:.1f} h; dotted: new run",
        fontsize=9, loc="left",
    )  # fmt: skip
    return figure


def _shade(axis: Any, hours: FloatArray, beam: Any) -> None:
    for state, (name, colour) in STATES.items():
        inside = hours[beam == state]
        if inside.size:
            axis.axvspan(inside.min(), inside.max(), color=colour, lw=0, zorder=0)
            if axis.get_subplotspec().is_first_row():
                axis.text(inside.max(), 0.30 if state == 1 else 0.55, f"{name} ", transform=axis.get_xaxis_transform(),
                          ha="right", va="center", fontsize=7)  # fmt: skip


def plot_run(world: World, plt: Any) -> Any:
    """Lanes of one run: flags, and for each system what was wrong, what the shifter said, what the expert said."""
    year, place = world.year, _busiest_run(world)
    rows = np.arange(len(year))[year.runs.rows(place)]
    number = year.conditions.lumisection[rows]
    figure, (top, lanes) = plt.subplots(2, 1, figsize=(8.6, 7.2), sharex=True, height_ratios=[1, 3.4])
    top.plot(number, year.instantaneous[rows], ".", ms=3, color=COLOURS[0])
    top.set_ylabel("luminosity\n[Hz/nb]")
    top.set_ylim(bottom=0)
    run, fill = year.runs.number[place], year.fills.number[year.runs.fill[place]]
    share = f"{100 * world.prevalence:.0f}% of physics bad"
    top.set_title(f"Run {run}, fill {fill}, {len(rows)} lumisections; a year with {share}", fontsize=9, loc="left")
    names: list[str] = []
    flags = {"stable beams": year.beam == 3, "detector ready": year.ready, "solenoid": year.solenoid,
             "scan": year.scan}  # fmt: skip
    for name, flag in flags.items():
        _lane(lanes, len(names), number, flag[rows], "#9db8a5" if name != "scan" else GREY)
        names.append(name)
    for system in SYSTEMS:
        truth, labels = world.truth[system], world.labels[system]
        said = [("truth", truth.family >= 0, "#e2b6b0"), ("first", labels.first == 1, COLOURS[1]),
                ("confirmed", labels.confirmed == 1, COLOURS[0])]  # fmt: skip
        for who, column, colour in said:
            _lane(lanes, len(names), number, column[rows], colour)
            if who == "truth":
                _lane(lanes, len(names), number, truth.bad[rows], COLOURS[3])
                _write_defects(lanes, len(names), world, place, system)
            names.append(f"{system} {who}" if who == "truth" else who)
    lanes.set_yticks(range(len(names)), names, fontsize=7)
    lanes.set_ylim(len(names) - 0.4, -0.6)
    lanes.set_xlabel("lumisection")
    for line in range(len(flags), len(names), 3):
        lanes.axhline(line - 0.5, color=GREY, lw=0.4)
    tidy(top)
    tidy(lanes, grid=False)
    return figure


def _busiest_run(world: World) -> int:
    """The run in which the most systems have a defect that does not fill it."""
    year, best = world.year, (-1.0, 0)
    for place in range(len(year.runs)):
        rows = year.runs.rows(place)
        shares = [(truth.family[rows] >= 0).mean() for name, truth in world.truth.items() if name != GLOBAL]
        starts = (year.beam[rows] < 3).mean()
        different = len({int(family) for truth in world.truth.values() for family in np.unique(truth.family[rows])})
        score = different + 0.1 * sum(0.01 < share < 0.7 for share in shares) + 2.0 * (0.08 < starts < 0.3)
        best = max(best, (score, place))
    return best[1]


def _lane(axis: Any, line: int, number: Any, on: Any, colour: str) -> None:
    edges = np.flatnonzero(np.diff(np.r_[False, on, False].astype(int)))
    spans = [(number[first] - 0.5, last - first) for first, last in edges.reshape(-1, 2)]
    axis.broken_barh(spans, (line - 0.38, 0.76), color=colour, lw=0)


def _write_defects(axis: Any, line: int, world: World, place: int, system: str) -> None:
    for defect in world.defects:
        if system not in defect.family.spoils or not any(run == place for run, _, _ in defect.pieces(world.year)):
            continue
        first = next(first for run, first, _ in defect.pieces(world.year) if run == place)
        last = next(last for run, _, last in defect.pieces(world.year) if run == place)
        words = f"{defect.family.name} {defect.strength:.2g}"
        right = first < 0.6 * world.year.runs.lumisections[place]
        axis.text(last + 1.5 if right else first - 1.5, line, words, fontsize=6.5, va="center",
                  ha="left" if right else "right")  # fmt: skip


def plot_year_of_defects(world: World, plt: Any) -> Any:
    """When each family came over the year, how strong, and what is held out of training."""
    year = world.year
    figure, axis = plt.subplots(figsize=(8.6, 5.2))
    shown = [family for family in FAMILIES if family.weight]
    for line, family in enumerate(shown):
        own = [defect for defect in world.defects if defect.family is family]
        for defect in own:
            day, size = year.day[defect.start], 4 + 60 * np.sqrt(defect.strength)
            colour = COLOURS[3] if family.intolerable else COLOURS[1]
            axis.scatter(day, line, s=size, color=colour, alpha=0.55, lw=0)
    axis.set_yticks(range(len(shown)), [f"{f.name}{'  (unseen)' if f.unseen else ''}" for f in shown], fontsize=7)
    axis.invert_yaxis()
    for part, colour in (("train", "#f3f3f3"), ("calibration", "#e6eef6"), ("test", "#f6efe1")):
        days = year.day[world.split[part]]
        axis.axvspan(days.min(), days.max(), color=colour, lw=0, zorder=0)
        axis.text(days.mean(), -0.9, part, ha="center", fontsize=8)
    axis.set_xlabel("days since 20 April")
    axis.set_title(
        "Defects over the year; area grows with strength, red is intolerable", fontsize=9, loc="left", pad=14
    )
    tidy(axis)
    return figure


def plot_labels(world: World, plt: Any) -> Any:
    """How often people see a defect of a given strength, how far off its ends are, and who reads how well."""
    figure, axes = plt.subplots(1, 3, figsize=(9.2, 3.1))
    _seen_by_strength(world, axes[0])
    _ends(world, axes[1])
    _by_system(world, axes[2])
    for axis in axes:
        tidy(axis)
    return figure


def _pieces(world: World) -> list[tuple[str, Defect, int]]:
    return [
        (system, defect, place)
        for defect in world.defects
        if defect.family.intolerable
        for system in defect.family.spoils
        for place, _, _ in defect.pieces(world.year)
    ]


def _seen_by_strength(world: World, axis: Any) -> None:
    pieces = _pieces(world)
    strength = np.asarray([defect.strength for _, defect, _ in pieces])
    for who, colour in (("shifter", COLOURS[1]), ("expert", COLOURS[0])):
        found = {
            (system, flag.defect, flag.run_place)
            for system in SYSTEMS
            for flag in world.labels[system].flags
            if flag.who.startswith(who) and flag.defect >= 0
        }
        seen = np.asarray([(system, defect.number, place) in found for system, defect, place in pieces])
        levels = np.unique(np.round(strength, 6))
        shares = [seen[np.isclose(strength, level)].mean() for level in levels if level < 1.01]
        count = [np.isclose(strength, level).sum() for level in levels]
        error = [np.sqrt((p * (1 - p) + 0.25 / n) / n) for p, n in zip(shares, count, strict=True)]
        enough = np.asarray(count) >= 8
        axis.errorbar(levels[enough], np.asarray(shares)[enough], np.asarray(error)[enough], fmt="o", ms=4,
                      color=colour, label=who, lw=1)  # fmt: skip
    line = np.geomspace(0.02, 1, 50)
    axis.plot(
        line, 0.7 + 0.29 * np.log(line / 0.02) / np.log(50), color=GREY, lw=1, ls="--", label="specified, no copying"
    )
    axis.set_xscale("log")
    axis.set_ylim(0.5, 1.04)
    axis.set_xlabel("strength of the defect")
    axis.set_ylabel("share that is recorded")
    axis.legend(fontsize=7, frameon=False, loc="lower right")


def _ends(world: World, axis: Any) -> None:
    year, number = world.year, {defect.number: defect for defect in world.defects}
    off: dict[str, list[int]] = {"shifter": [], "expert": []}
    for labels in world.labels.values():
        for flag in labels.flags:
            who = flag.who.split()[0]
            if flag.why != "seen" or who not in off:
                continue
            for place, first, _ in number[flag.defect].pieces(year):
                if place == flag.run_place and first > 1:
                    off[who].append(flag.first - first)
    bins = np.arange(-12.5, 13.5)
    for who, colour in (("shifter", COLOURS[1]), ("expert", COLOURS[0])):
        axis.hist(np.clip(off[who], -12, 12), bins, density=True, histtype="step", color=colour, label=who, lw=1.2)
    axis.set_xlabel("recorded minus true start [LS]")
    axis.set_ylabel("share")
    axis.legend(fontsize=7, frameon=False)


def _by_system(world: World, axis: Any) -> None:
    physics, place = world.year.physics, np.arange(len(SYSTEMS))
    for shift, (name, colour) in zip((-0.2, 0.2), (("first", COLOURS[1]), ("confirmed", COLOURS[0])), strict=True):
        wrong = [
            (getattr(world.labels[system], name)[physics] != world.truth[system].bad[physics]).mean()
            for system in SYSTEMS
        ]
        axis.barh(place + shift, 100 * np.asarray(wrong), 0.38, color=colour, label=name)
    axis.set_yticks(place, SYSTEMS, fontsize=7)
    axis.invert_yaxis()
    axis.set_xlabel("wrong labels [% of lumisections]")
    axis.legend(fontsize=7, frameon=False, ncol=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))


PLOTS: dict[str, Callable[[World, Any], Any]] = {
    "fill": plot_fill,
    "run": plot_run,
    "maps": plot_maps,
    "shapes": plot_shapes,
    "drift": plot_drift,
    "labels": plot_labels,
    "rates": plot_rates,
    "defects": plot_year_of_defects,
}


def _richer(name: str, usual: World) -> World:
    """Some aspects need more defects than a usual year has: lanes of a run those of a hard one, statistics of labels a
    long and hard one."""
    if name not in ("run", "labels"):
        return usual
    longer = {"m": "l"} if name == "labels" else {}
    return simulate(longer.get(usual.year.size, usual.year.size), usual.year.seed, prevalence="hard")


def main(arguments: list[str] | None = None) -> int:
    made = argparse.ArgumentParser(prog="python -m mlcore.simulate.plots", description=__doc__)
    made.add_argument("--out", type=Path, required=True)
    made.add_argument("--size", default="m")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--only", nargs="+", choices=list(PLOTS), default=list(PLOTS))
    options = made.parse_args(arguments)
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    options.out.mkdir(parents=True, exist_ok=True)
    usual = simulate(options.size, options.seed)
    for name in options.only:
        size = save(PLOTS[name](_richer(name, usual), plt), options.out / f"{name}.png")
        plt.close("all")
        sys.stderr.write(f"{name}.png {size / 1000:.0f} kB\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
