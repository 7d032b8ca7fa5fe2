"""Virtual defects of many runs: bitsets against a sweep over interval endpoints and against `portion`.

    python -m benchmarks.bench_virtual_defects [--quick] [--json FILE] [--seed N]

The world: 600 primary defects, 300 virtual ones of 10 terms each (a hundred over primary defects, a hundred over
those, a hundred over these), and runs of 1,000 lumisections with 100 recorded intervals each. All evaluators start
from the same intervals, and their answers are compared lumisection by lumisection, causes included, before anything
is timed.

The sweep is what conditions databases do: at every place where any interval begins or ends it evaluates all virtual
defects in dependency order; slices with an equal answer are joined. `portion` is a library of interval algebra.

500 times faster than `portion` is not to be had in Python, and the table shows why: "one `|` for every present term" is
a bare loop over nothing but those operations that any evaluator must do, prepared beforehand, without names, negation
or bounds. It is the most that a factor can be; ours is about half of it. Many runs side by side in longer integers
were tried: they take as long, since Python goes through an integer digit by digit. So were arrays of numpy over 200
runs at once: about 130 times faster than `portion`, and two thirds of their time goes into filling them.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import portion

from certifier.lumi import Evaluation, Logic, LumiSet

LUMISECTIONS = 1000
INTERVALS = 100
PRIMARIES = 600
VIRTUALS_PER_LEVEL = 100
TERMS = 10
# Of these, so many are virtual themselves. It is chosen so that 200 runs give about 250,000 slices, the number that is
# reported for the evaluator of ATLAS on a world of this size.
NESTED = (1, 1, 2)
NEGATED = 0.03
LENGTHS = 1.7  # seven of ten intervals are one lumisection long, as in real data, and some are very long

Interval = tuple[str, int, int]  # defect, first and last lumisection
Slice = tuple[int, int, bool, str]  # first, end (not included), recoverable, causes


@dataclass(frozen=True)
class World:
    definitions: dict[str, str]  # in dependency order
    primaries: list[str]
    runs: list[list[Interval]]

    @cached_property
    def terms(self) -> dict[str, list[tuple[str, bool]]]:
        """The expressions once more, for the peers: pairs of name and whether it is negated."""
        return {
            name: [(term.lstrip("!"), term.startswith("!")) for term in text.split()]
            for name, text in self.definitions.items()
        }


def build_world(seed: int, runs: int) -> World:
    chance = random.Random(seed)
    primaries = [f"D{number:03}" for number in range(PRIMARIES)]
    definitions: dict[str, str] = {}
    below: list[str] = []
    for level in (1, 2, 3):
        here = [f"V{level}_{number:02}" for number in range(VIRTUALS_PER_LEVEL)]
        for name in here:
            nested = chance.sample(below, chance.choice(NESTED)) if below else []
            names = nested + chance.sample(primaries, TERMS - len(nested))
            # On the last level only: a negated rare defect is true nearly everywhere, and so is all that names it.
            negated = NEGATED if level == 3 else 0
            definitions[name] = " ".join("!" * (chance.random() < negated) + each for each in names)
        below = here
    return World(definitions, primaries, [_recorded(chance, primaries) for _ in range(runs)])


def _recorded(chance: random.Random, primaries: list[str]) -> list[Interval]:
    """Most defects last for a lumisection or a few, some for long; of one defect no two intervals overlap."""
    free: dict[str, int] = {}
    found: list[Interval] = []
    while len(found) < INTERVALS:
        name = chance.choice(primaries)
        first = free.get(name, 0) + chance.randint(1, LUMISECTIONS)
        last = first + int(chance.paretovariate(LENGTHS)) - 1
        if last <= LUMISECTIONS:
            found.append((name, first, last))
            free[name] = last
    return found


# -- ours ------------------------------------------------------------------------------------------


def as_bits(intervals: Iterable[Interval]) -> dict[str, int]:
    """What is recorded in a run as we keep it: a LumiSet per defect."""
    present: dict[str, int] = {}
    for name, first, last in intervals:
        present[name] = present.get(name, 0) | LumiSet.from_ranges([(first, last)]).bits
    return present


def evaluate(logic: Logic, present: dict[str, int]) -> Evaluation:
    return logic.evaluate(present, LumiSet.whole(LUMISECTIONS))


def evaluate_with_causes(logic: Logic, present: dict[str, int]) -> int:
    evaluation = evaluate(logic, present)
    return sum(len(evaluation.causes(name)) for name in logic.virtuals)


FLOOR = "one | for every present term"
LIBRARY = f"portion {portion.__version__}"

# -- the sweep -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Iov:
    """An interval with its payload, as the sweep hands it from one logic to the next."""

    name: str
    present: bool
    recoverable: bool
    comment: str


@dataclass(slots=True)
class Term:
    name: str
    negated: bool

    def cause(self, states: dict[str, Iov | None]) -> Iov | None:
        """What makes this term true now, None when it is false."""
        state = states.get(self.name)
        is_present = state is not None and state.present
        if self.negated:
            return None if is_present else Iov(f"!{self.name}", True, False, "")
        return state if is_present else None


@dataclass(slots=True)
class SweepLogic:
    name: str
    terms: list[Term]

    def evaluate(self, states: dict[str, Iov | None], full: bool) -> Iov | None:
        if not full:
            return _PRESENT if any(term.cause(states) for term in self.terms) else None
        causes = [cause for cause in (term.cause(states) for term in self.terms) if cause is not None]
        if not causes:
            return None
        recoverable = all(cause.recoverable for cause in causes)
        return Iov(self.name, True, recoverable, " ".join(sorted({cause.name for cause in causes})))


_PRESENT = Iov("", True, False, "")


def sweep(logics: Sequence[SweepLogic], intervals: Iterable[Interval], *, full: bool) -> dict[str, list[Slice]]:
    """All slices of all virtual defects, neighbours with an equal answer joined."""
    events = [(first, True, name) for name, first, _ in intervals]
    events += [(last + 1, False, name) for name, _, last in intervals]
    heapq.heapify(events)
    states: dict[str, Iov | None] = {}
    found: dict[str, list[Slice]] = {logic.name: [] for logic in logics}
    here = 1
    while here <= LUMISECTIONS:
        while events and events[0][0] <= here:
            _, begins, name = heapq.heappop(events)
            states[name] = Iov(name, True, False, "") if begins else None
        end = min(events[0][0] if events else LUMISECTIONS + 1, LUMISECTIONS + 1)
        for logic in logics:
            state = states[logic.name] = logic.evaluate(states, full)
            if state is not None:
                _append(found[logic.name], (here, end, state.recoverable, state.comment))
        here = end
    return found


def _append(slices: list[Slice], new: Slice) -> None:
    if slices and slices[-1][1] == new[0] and slices[-1][2:] == new[2:]:
        slices[-1] = (slices[-1][0], *new[1:])
    else:
        slices.append(new)


# -- portion ---------------------------------------------------------------------------------------


def as_portions(intervals: Iterable[Interval]) -> dict[str, portion.Interval]:
    pieces: dict[str, list[portion.Interval]] = {}
    for name, first, last in intervals:
        pieces.setdefault(name, []).append(portion.closedopen(first, last + 1))
    return {name: portion.Interval(*parts) for name, parts in pieces.items()}


def with_portion(world: World, recorded: dict[str, portion.Interval]) -> dict[str, portion.Interval]:
    whole = portion.closedopen(1, LUMISECTIONS + 1)
    nothing = portion.empty()
    states = dict(recorded)
    for name, terms in world.terms.items():
        found = nothing
        for other, negated in terms:
            state = states.get(other, nothing)
            found |= whole - state if negated else state
        states[name] = found
    return states


# -- the floor -------------------------------------------------------------------------------------


def operations(world: World, run: list[Interval]) -> tuple[list[int], list[tuple[int, int]]]:
    """The bitsets of a run by number, and (virtual defect, term) for every term that is present somewhere in it."""
    present = dict(as_bits(run))
    numbers = {name: number for number, name in enumerate([*world.primaries, *world.terms])}
    values = [present.get(name, 0) for name in numbers]
    needed = []
    for name, terms in world.terms.items():
        for other, negated in terms:
            if not negated and present.get(other, 0):
                needed.append((numbers[name], numbers[other]))
                present[name] = present.get(name, 0) | present[other]
    return values, needed


def bare(values: list[int], needed: list[tuple[int, int]]) -> None:
    for name, other in needed:
        values[name] |= values[other]


# -- agreement -------------------------------------------------------------------------------------


def disagreements(world: World, logic: Logic, logics: Sequence[SweepLogic], run: list[Interval]) -> list[str]:
    """Virtual defects on which not all evaluators say the same for every lumisection, causes included."""
    evaluation = evaluate(logic, as_bits(run))
    full, short = sweep(logics, run, full=True), sweep(logics, run, full=False)
    intervals = with_portion(world, as_portions(run))
    wrong = []
    for name in logic.virtuals:
        ours = {number: " ".join(causes) for stretch, causes in evaluation.causes(name) for number in stretch.numbers()}
        theirs = {number: slice_[3] for slice_ in full[name] for number in range(slice_[0], slice_[1])}
        shorter = {number for slice_ in short[name] for number in range(slice_[0], slice_[1])}
        apart = {number for atom in intervals[name] if not atom.empty for number in range(atom.lower, atom.upper)}
        present = set(evaluation.present(name).numbers())
        if not (ours == theirs and set(ours) == present == shorter == apart):
            wrong.append(name)
    return wrong


# -- the table -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    task: str
    ours_s: float
    peer: str
    peer_s: float | None
    target: str
    reached: bool | None

    @property
    def ratio(self) -> float | None:
        return None if self.peer_s is None else self.peer_s / self.ours_s


def evaluator_rows(world: World, logic: Logic, logics: Sequence[SweepLogic], peer_runs: int) -> list[Row]:
    """Median seconds per run. We take all runs, the peers some of them; each has them in its own form already.

    All take turns, so that a slow minute of the machine is one for all.
    """
    ours: dict[str, Callable[[dict[str, int]], object]] = {
        "evaluate, per run": partial(evaluate, logic),
        "evaluate with causes, per run": partial(evaluate_with_causes, logic),
    }
    peers: dict[str, Callable[[list[Interval], dict[str, portion.Interval]], object]] = {
        "sweep, every logic at every change": lambda run, _: sweep(logics, run, full=True),
        "sweep without causes": lambda run, _: sweep(logics, run, full=False),
        LIBRARY: lambda _, recorded: with_portion(world, recorded),
    }
    times: dict[str, list[float]] = {name: [] for name in (*ours, *peers, FLOOR)}
    share = len(world.runs) // peer_runs
    for start in range(0, share * peer_runs, share):
        batch = [as_bits(run) for run in world.runs[start : start + share]]
        for task, evaluator in ours.items():
            times[task].append(took(for_each, evaluator, batch) / share)
        run = world.runs[start]
        recorded = as_portions(run)
        for name, peer in peers.items():
            times[name].append(took(peer, run, recorded))
        prepared = [operations(world, run) for run in world.runs[start : start + share]]
        times[FLOOR].append(took(for_each, lambda one: bare(*one), prepared) / share)
    values, causes = ours
    full, short, library = peers
    medians = {name: statistics.median(found) for name, found in times.items()}
    pairs = [(values, full, 500), (values, short, 500), (values, library, 500), (causes, full, 50)]
    rows = [
        Row(task, medians[task], peer, medians[peer], f">= {factor}x", medians[peer] / medians[task] >= factor)
        for task, peer, factor in pairs
    ]
    return [*rows, Row(FLOOR, medians[FLOOR], library, medians[library], "", None)]


def took(work: Callable[..., object], *arguments: object) -> float:
    """Processor seconds: what else the machine does in the meantime does not count."""
    start = time.process_time()
    work(*arguments)
    return time.process_time() - start


def for_each(work: Callable[[Any], object], items: Iterable[object]) -> None:
    for item in items:
        work(item)


def growth_rows(logic: Logic, seed: int, counts: Sequence[int]) -> list[Row]:
    """Total seconds for so many runs; linear means that a run never costs twice what it costs among ten."""
    runs = [as_bits(run) for run in build_world(seed, max(counts)).runs]
    rows: list[Row] = []
    for count in counts:
        total = took(for_each, partial(evaluate, logic), runs[:count])
        among_ten = rows[1].ours_s / 10 if len(rows) > 1 else None
        linear = None if among_ten is None else total / count < 2 * among_ten
        rows.append(Row(f"evaluate, {count:,} runs", total, "", None, "linear" if among_ten else "", linear))
    return rows


def causes_row(logic: Logic, world: World) -> Row:
    runs = [as_bits(run) for run in world.runs]
    slices = sum(evaluate_with_causes(logic, present) for present in runs)
    total = took(for_each, partial(evaluate_with_causes, logic), runs)
    return Row(f"with causes, {len(runs):,} runs, {slices:,} slices", total, "", None, "", None)


def text_rows(seed: int, count: int) -> list[Row]:
    """What a build from the database does besides: read a LumiSet from every entry."""
    chance = random.Random(seed)
    texts = []
    for _ in range(count):
        ends = sorted(chance.sample(range(1, LUMISECTIONS), 2 * chance.choice((1, 1, 1, 3))))
        texts.append(str(LumiSet.from_ranges(zip(ends[::2], ends[1::2], strict=True))))
    parsing = took(for_each, LumiSet.parse, texts)
    sets = [LumiSet.parse(text) for text in texts]
    printing = took(for_each, str, sets)
    limit = 1.5 * count / 750_000
    return [
        Row(f"parse {count:,} texts", parsing, "", None, f"< {limit:.2g} s", parsing < limit),
        Row(f"print {count:,} sets", printing, "", None, "", None),
    ]


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.2f} ms" if value >= 1e-3 else f"{value * 1e6:.0f} µs"


def print_table(rows: Sequence[Row]) -> None:
    head = ("task", "ours", "peer", "takes", "ratio", "target", "reached")
    lines = [
        (
            row.task,
            seconds(row.ours_s),
            row.peer,
            "" if row.peer_s is None else seconds(row.peer_s),
            "" if row.ratio is None else f"{row.ratio:,.0f}x",
            row.target,
            "" if row.reached is None else "yes" if row.reached else "NO",
        )
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    for line in (head, tuple("-" * width for width in widths), *lines):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer runs, the same world otherwise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table there too")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    runs, peer_runs, counts = (20, 2, (1, 10, 100)) if options.quick else (200, 10, (1, 10, 100, 200, 1000))
    world = build_world(options.seed, runs)
    logic = Logic(world.definitions, world.primaries)
    logics = [
        SweepLogic(name, [Term(other, negated) for other, negated in terms]) for name, terms in world.terms.items()
    ]
    wrong = [name for run in world.runs[:peer_runs] for name in disagreements(world, logic, logics, run)]
    print(
        f"{len(world.primaries)} primary and {len(world.definitions)} virtual defects, {runs} runs of {LUMISECTIONS:,} "
        f"lumisections, {INTERVALS} intervals each; seed {options.seed}.\n"
        f"Answers compared for every lumisection of {peer_runs} runs: "
        f"{'all agree' if not wrong else f'{len(wrong)} virtual defects DISAGREE, first {wrong[0]}'}.\n"
    )
    rows = evaluator_rows(world, logic, logics, peer_runs)
    rows += growth_rows(logic, options.seed, counts)
    rows.append(causes_row(logic, world))
    rows += text_rows(options.seed, 75_000 if options.quick else 750_000)
    print_table(rows)
    missed = [row for row in rows if row.reached is False]
    beyond = [f"{row.target} faster than {row.peer}" for row in missed if row.peer == LIBRARY]
    if options.json:
        table = [asdict(row) | {"ratio": row.ratio} for row in rows]
        found = {"agree": not wrong, "out_of_reach": beyond, "rows": table}
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if wrong or len(missed) > len(beyond) else 0


if __name__ == "__main__":
    sys.exit(main())
