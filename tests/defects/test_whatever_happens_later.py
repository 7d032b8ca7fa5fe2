"""Any sequence of entries, renames and new meanings: HEAD is what was said last, and no tag ever changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certifier.accounts.models import System
from certifier.defects import services
from certifier.defects.selectors import RunDefects, history, run_defects
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import define, define_all, present, record
from tests.defects.test_later_entries_win import taken_back

pytestmark = pytest.mark.django_db

LAST = 6
PRIMARIES = ("A", "B", "C")
Truth = Callable[[set[str]], bool]


class Formula(NamedTuple):
    """An expression over A, B, C, and whether it is true when just these are present."""

    text: Callable[[dict[str, str]], str]
    holds: Truth


def leaf(name: str) -> Formula:
    return Formula(lambda names: names[name], lambda here: name in here)


def negated(one: Formula) -> Formula:
    return Formula(lambda names: f"not ({one.text(names)})", lambda here: not one.holds(here))


def both(pair: tuple[Formula, Formula]) -> Formula:
    a, b = pair
    return Formula(
        lambda names: f"({a.text(names)}) and ({b.text(names)})", lambda here: a.holds(here) and b.holds(here)
    )


def either(pair: tuple[Formula, Formula]) -> Formula:
    a, b = pair
    text = lambda names: f"({a.text(names)}) or ({b.text(names)})"  # noqa: E731
    return Formula(text, lambda here: a.holds(here) or b.holds(here))


formulas = st.recursive(
    st.sampled_from(PRIMARIES).map(leaf),
    lambda inner: st.one_of(inner.map(negated), st.tuples(inner, inner).map(both), st.tuples(inner, inner).map(either)),
    max_leaves=5,
)
numbers = st.frozensets(st.integers(1, LAST), min_size=1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.sampled_from(PRIMARIES), numbers, st.booleans()),
        st.tuples(st.just("rename"), st.sampled_from([*PRIMARIES, "V"])),
        st.tuples(st.just("redefine"), formulas),
        st.tuples(st.just("tag")),
    ),
    max_size=10,
)


class World:
    """The program beside a model of it: which primaries are present where, what everything is called and means."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.names = {name: name for name in (*PRIMARIES, "V")}
        self.formula = leaf("A")
        self.present: dict[str, set[int]] = {name: set() for name in PRIMARIES}
        self.tags: dict[str, tuple[RunDefects, list[Any]]] = {}

    def take(self, step: tuple[Any, ...]) -> None:
        getattr(self, step[0])(*step[1:])

    def record(self, name: str, here: frozenset[int], is_present: bool) -> None:
        record(self.run, self.names[name], " ".join(map(str, sorted(here))), present=is_present)
        self.present[name] = self.present[name] | here if is_present else self.present[name] - here

    def rename(self, name: str) -> None:
        services.change_defect(actor=None, defect=self.names[name], name=self.names[name] + "_")
        self.names[name] += "_"

    def redefine(self, formula: Formula) -> None:
        services.change_defect(actor=None, defect=self.names["V"], expression=formula.text(self.names))
        self.formula = formula

    def tag(self) -> None:
        name = f"T{len(self.tags)}"
        services.create_tag(actor=None, name=name)
        self.tags[name] = self.seen(name)

    def seen(self, tag: str) -> tuple[RunDefects, list[Any]]:
        return run_defects(self.run, tag, absent=True), [
            (line.entry.pk, line.defect) for line in history(self.run, tag)
        ]

    def check(self) -> None:
        for name in PRIMARIES:
            assert _numbers(present(self.run, self.names[name])) == self.present[name]
        true = {
            number
            for number in range(1, LAST + 1)
            if self.formula.holds({name for name in PRIMARIES if number in self.present[name]})
        }
        assert _numbers(present(self.run, self.names["V"])) == true
        for tag, before in self.tags.items():
            assert self.seen(tag) == before


def _numbers(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


@pytest.fixture
def run(lar: System) -> Run:
    define_all(*PRIMARIES)
    define("V", "A")
    return make_run(1, lumisections=LAST)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_head_follows_and_tags_stay(run: Run, steps: list[tuple[Any, ...]]) -> None:
    with taken_back():
        world = World(run)
        for step in steps:
            world.take(step)
        world.check()
