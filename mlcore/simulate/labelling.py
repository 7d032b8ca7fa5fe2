"""What people write down: shifters who miss, invent, blur and copy, and experts who correct most of it later.

For each system the truth, the first label and the confirmed label are three columns that never overwrite each other. A
shifter looks at a whole run at a time, as in every experiment: what is recorded is a list of flags with a range of
lumisections. Shifters differ in the way of Dawid and Skene (1979): each has a sensitivity and a specificity of his own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mlcore.conditions import BoolArray, FloatArray, IntArray

from .defects import Defect
from .elements import SYSTEMS
from .families import SHORT
from .machine import DAY, HOUR, START
from .streams import Streams
from .year import Year

SHIFTERS = 12


@dataclass(frozen=True, kw_only=True)
class LabelHabits:
    """How people label.

    Parameters
    ----------
    weakest, strongest : chance to see a defect of strength 0.02 and 1; in between it goes with log strength.
    specificity : share of good lumisections that nobody takes for bad by mistake.
    jitter : standard deviation of the Laplace error of either end in lumisections.
    run_wide : chance that a short defect is recorded for the whole run.
    copied : chance that a shifter does not look, and repeats how the run before ended.
    bias : spread between shifters, on the logistic scale.
    expert : range of how many times rarer an expert is wrong than a shifter.
    second_reader : share of runs that a second shifter reads on his own.
    delay : fewest and most days until an expert confirms.
    """

    weakest: float = 0.70
    strongest: float = 0.99
    specificity: float = 0.995
    jitter: float = 3.0
    run_wide: float = 0.2
    copied: float = 0.05
    bias: float = 0.4
    expert: tuple[float, float] = (2.0, 5.0)
    second_reader: float = 0.10
    delay: tuple[float, float] = (1.0, 14.0)

    def sensitivity(self, strength: FloatArray | float) -> FloatArray:
        """Chance that a shifter without bias sees a defect of this strength."""
        share = np.log(np.asarray(strength, dtype=np.float64) / 0.02) / np.log(50.0)
        return np.asarray(self.weakest + (self.strongest - self.weakest) * np.clip(share, 0.0, 1.0))


class Flag(NamedTuple):
    """One line that somebody wrote.

    Parameters
    ----------
    run_place, first, last : where, lumisections from 1.
    system, family : what; family is empty for what was only imagined.
    who : `shifter 3`, `second reader 7` or `expert`.
    why : seen, run-wide, imagined or copied.
    defect : number of the defect, -1 for none.
    """

    run_place: int
    first: int
    last: int
    system: str
    family: str
    who: str
    why: str
    defect: int


@dataclass(frozen=True, eq=False)
class SystemLabels:
    """Labels of one system: 0 good, 1 bad, -1 nobody said anything; arrays of shape (n,).

    Parameters
    ----------
    first : by the shifter, on the day. second : by another shifter where the run was read twice, else -1.
    confirmed : by an expert later. available : seconds since the epoch from which the confirmed label is known.
    flags : all lines that led to them.
    """

    first: IntArray
    second: IntArray
    confirmed: IntArray
    available: FloatArray
    flags: tuple[Flag, ...]


@dataclass(frozen=True, eq=False)
class Shifters:
    """The people on shift. `sees` and `invents` are their biases on the logistic scale, (m,) each; `on_shift` is who
    reads each run first, `second` who reads it too, -1 for nobody, (runs,) each."""

    sees: FloatArray
    invents: FloatArray
    on_shift: IntArray
    second: IntArray


def shifters_of(year: Year, habits: LabelHabits, streams: Streams) -> Shifters:
    """A rota of three shifts a day, each person on for a week of the same shift."""
    rng = streams.of("labels", "shifters")
    shift = np.floor((year.runs.start - START) / (8 * HOUR)).astype(np.int64)
    week = np.floor((year.runs.start - START) / (7 * DAY)).astype(np.int64)
    rota = np.asarray([rng.permutation(SHIFTERS)[:3] for _ in range(64)])
    on_shift = rota[week, shift % 3]
    twice = np.zeros(len(year.runs), dtype=bool)
    twice[rng.permutation(len(twice))[: round(habits.second_reader * len(twice))]] = True
    other = (on_shift + rng.integers(1, SHIFTERS, len(twice))) % SHIFTERS
    # Centred, so that the people of a year together are as good as the habits say.
    bias = rng.normal(0.0, habits.bias, (2, SHIFTERS))
    bias -= bias.mean(axis=1, keepdims=True)
    return Shifters(
        sees=bias[0],
        invents=bias[1],
        on_shift=on_shift,
        second=np.where(twice, other, -1),
    )


def label_year(
    year: Year, defects: Sequence[Defect], streams: Streams, habits: LabelHabits | None = None
) -> dict[str, SystemLabels]:
    """First, second and confirmed labels of every system. Only intolerable defects make a label bad."""
    habits = habits or LabelHabits()
    people = shifters_of(year, habits, streams)
    labels = {}
    for system in SYSTEMS:
        reader = _Reader(year, system, habits, streams.of("labels", system))
        labels[system] = _label_system(reader, _pieces(year, defects, system), people)
    return labels


def _pieces(year: Year, defects: Sequence[Defect], system: str) -> list[list[_Piece]]:
    """For each run what an expert would call bad for this system."""
    by_run: list[list[_Piece]] = [[] for _ in range(len(year.runs))]
    for defect in defects:
        if system in defect.family.spoils and defect.family.intolerable:
            for place, first, last in defect.pieces(year):
                by_run[place].append(_Piece(defect, first, last))
    return by_run


def _label_system(reader: _Reader, by_run: list[list[_Piece]], people: Shifters) -> SystemLabels:
    year, habits, rng = reader.year, reader.habits, reader.rng
    written: list[Flag] = []
    before: list[Flag] = []
    for place, who in enumerate(people.on_shift.tolist()):
        name = f"shifter {who}"
        if rng.random() < habits.copied:
            before = reader.copy(place, before, name)
        else:
            before = reader.read(place, by_run[place], name, sees=people.sees[who], invents=people.invents[who])
        written += before
    again: list[Flag] = []
    for place in np.flatnonzero(people.second >= 0).tolist():
        who = int(people.second[place])
        again += reader.read(
            place, by_run[place], f"second reader {who}", sees=people.sees[who], invents=people.invents[who]
        )
    better = float(rng.uniform(*habits.expert))
    seen: list[set[int]] = [set() for _ in by_run]
    for flag in written:
        seen[flag.run_place].add(flag.defect)
    confirmed = [
        flag for place, pieces in enumerate(by_run) for flag in reader.confirm(place, pieces, seen[place], better)
    ]
    ended = year.runs.start + year.runs.lumisections * year.lumisection_seconds
    available = ended + rng.uniform(*habits.delay, len(year.runs)) * DAY
    return SystemLabels(
        first=_column(year, written),
        second=np.where(people.second[year.run_place] >= 0, _column(year, again), -1),
        confirmed=_column(year, confirmed),
        available=available[year.run_place],
        flags=(*written, *again, *confirmed),
    )


class _Piece(NamedTuple):
    """The part of a defect that lies in one run."""

    defect: Defect
    first: int
    last: int


class _Reader:
    """Somebody who reads a run of one system."""

    def __init__(self, year: Year, system: str, habits: LabelHabits, rng: np.random.Generator) -> None:
        self.year, self.system, self.habits, self.rng = year, system, habits, rng

    def read(self, place: int, pieces: Sequence[_Piece], who: str, *, sees: float, invents: float) -> list[Flag]:
        """What a shifter writes. His chances are those of the habits, moved by his bias."""
        flags = []
        for piece in pieces:
            if self.rng.random() < _moved(float(self.habits.sensitivity(piece.defect.strength)), sees):
                flags.append(self._seen(place, piece, who, jitter=self.habits.jitter, run_wide=self.habits.run_wide))
        wrong = _moved(1.0 - self.habits.specificity, invents)
        return flags + self._imagined(place, pieces, who, wrong)

    def confirm(self, place: int, pieces: Sequence[_Piece], seen: set[int], better: float) -> list[Flag]:
        """What an expert makes of it: everything that a shifter gets wrong, `better` times more rarely. He reads what
        the shifter wrote, so he loses a defect that was `seen` ten times more rarely than on average."""
        flags = []
        for piece in pieces:
            shifter = 1.0 - float(self.habits.sensitivity(piece.defect.strength))
            missed = 0.1 * shifter / better
            if piece.defect.number not in seen:
                missed = (1.0 - 0.1 * (1.0 - shifter)) / better
            if self.rng.random() >= missed:
                run_wide = self.habits.run_wide / better**2
                flags.append(
                    self._seen(place, piece, "expert", jitter=self.habits.jitter / better**2, run_wide=run_wide)
                )
        return flags + self._imagined(place, pieces, "expert", (1.0 - self.habits.specificity) / better)

    def copy(self, place: int, before: Sequence[Flag], who: str) -> list[Flag]:
        """The run is said to be as the one before ended: bad as a whole, or good."""
        if not before:
            return []
        run = before[0].run_place
        at_end = [flag for flag in before if flag.last == self._length(run)]
        return [
            flag._replace(run_place=place, first=1, last=self._length(place), who=who, why="copied", defect=-1)
            for flag in at_end[:1]
        ]

    def _seen(self, place: int, piece: _Piece, who: str, *, jitter: float, run_wide: float) -> Flag:
        length, family = self._length(place), piece.defect.family.name
        number = piece.defect.number
        if piece.defect.duration == SHORT and self.rng.random() < run_wide:
            return Flag(place, 1, length, self.system, family, who, "run-wide", number)
        first, last = piece.first, piece.last
        # The ends of a run are where they are; only ends within it are misjudged.
        if first > 1:
            first = int(np.clip(first + round(self.rng.laplace(0.0, jitter / np.sqrt(2.0))), 1, length))
        if last < length:
            last = int(np.clip(last + round(self.rng.laplace(0.0, jitter / np.sqrt(2.0))), 1, length))
        first, last = min(first, last), max(first, last)
        return Flag(place, first, last, self.system, family, who, "seen", number)

    def _imagined(self, place: int, pieces: Sequence[_Piece], who: str, share: float) -> list[Flag]:
        """Flags of one to ten lumisections that cover the given share of the run on average, outside of defects."""
        length, flags = self._length(place), []
        # They may stick out of the run at either end, so that its ends are covered as often as its middle.
        for _ in range(int(self.rng.poisson(share * (length + 9) / 5.5))):
            start = int(self.rng.integers(-8, length + 1))
            first, last = max(start, 1), min(start + int(self.rng.integers(0, 10)), length)
            if last < first:
                continue
            if not any(first <= piece.last and last >= piece.first for piece in pieces):
                flags.append(Flag(place, first, last, self.system, "", who, "imagined", -1))
        return flags

    def _length(self, place: int) -> int:
        return int(self.year.runs.lumisections[place])


def _moved(chance: float, bias: float) -> float:
    """A chance with a bias on the logistic scale."""
    odds = chance / (1.0 - chance) * np.exp(bias)
    return float(odds / (1.0 + odds))


def _column(year: Year, flags: Sequence[Flag]) -> IntArray:
    column = np.zeros(len(year), dtype=np.int64)
    for flag in flags:
        first = int(year.runs.first[flag.run_place])
        column[first + flag.first - 1 : first + flag.last] = 1
    return column


def agreement(labels: SystemLabels) -> tuple[BoolArray, BoolArray]:
    """(lumisections that two people read, those of them on which they agree)."""
    twice = labels.second >= 0
    return twice, twice & (labels.first == labels.second)
