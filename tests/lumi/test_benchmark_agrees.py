"""What the benchmark times is right: all its evaluators give the same answer."""

from __future__ import annotations

from benchmarks.bench_virtual_defects import SweepLogic, Term, build_world, disagreements
from certifier.lumi import Logic


def test_it_compares_evaluators_that_agree_on_every_lumisection() -> None:
    world = build_world(seed=7, runs=1)
    logic = Logic(world.definitions, world.primaries)
    sweep = [SweepLogic(name, [Term(*term) for term in terms]) for name, terms in world.terms.items()]
    assert disagreements(world, logic, sweep, world.runs[0]) == []


def test_it_would_notice_a_wrong_answer() -> None:
    world = build_world(seed=7, runs=1)
    logic = Logic(world.definitions, world.primaries)
    sweep = [SweepLogic(name, [Term(*term) for term in terms][1:]) for name, terms in world.terms.items()]
    assert disagreements(world, logic, sweep, world.runs[0])
