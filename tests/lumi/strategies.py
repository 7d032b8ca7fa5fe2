"""What the property tests of this room draw from, and the slow, obvious evaluations that they compare with."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from certifier.lumi import Expression, LumiSet, RunLumiMap
from certifier.lumi.expressions import And, Name, Not, Or, all_of, any_of

LAST = 25
Truth = bool | None  # None: unknown

numbers = st.integers(1, LAST)
# Small sets with many neighbours, and now and then a large number, where integers are long.
number_sets = st.frozensets(numbers) | st.frozensets(st.integers(1, 3000), max_size=30)
lumi_sets = number_sets.map(LumiSet.from_numbers)
small_sets = st.frozensets(numbers).map(LumiSet.from_numbers)

run_numbers = st.integers(400_001, 400_006)
maps_of_numbers = st.dictionaries(run_numbers, st.frozensets(numbers, max_size=8), max_size=5)


def lumi_map(runs: Mapping[int, frozenset[int]]) -> RunLumiMap:
    return RunLumiMap({run: LumiSet.from_numbers(found) for run, found in runs.items()})


def expressions(names: list[str], *, leaves: int = 8) -> st.SearchStrategy[Expression]:
    return st.recursive(
        st.sampled_from(names).map(Name),
        lambda inner: (
            inner.map(Not)
            | st.lists(inner, min_size=1, max_size=4).map(any_of)
            | st.lists(inner, min_size=1, max_size=4).map(all_of)
        ),
        max_leaves=leaves,
    )


PLACES = [f"N{number}" for number in range(12)]
# Made once: to make a recursive strategy takes longer than to draw from it.
SHAPES = expressions(PLACES)


@st.composite
def definitions(draw: st.DrawFn, primaries: list[str], *, most: int = 5) -> dict[str, Expression]:
    """Virtual defects V0, V1 …, each over the primary ones and those before it."""
    found: dict[str, Expression] = {}
    for number in range(draw(st.integers(1, most))):
        names = [*primaries, *found]
        taken = {place: names[index % len(names)] for index, place in enumerate(PLACES)}
        found[f"V{number}"] = draw(SHAPES).renamed(taken)
    return found


def truth(expression: Expression, state: Mapping[str, Truth]) -> Truth:
    """Kleene's three-valued logic, as the textbook has it."""
    match expression:
        case Name(name):
            return state[name]
        case Not(operand):
            inside = truth(operand, state)
            return None if inside is None else not inside
        case And(operands):
            found = [truth(operand, state) for operand in operands]
            return False if False in found else None if None in found else True
        case Or(operands):
            found = [truth(operand, state) for operand in operands]
            return True if True in found else None if None in found else False
    raise TypeError(expression)


def reasons(expression: Expression, state: Mapping[str, Truth], *, why: bool = True) -> frozenset[str]:
    """The causes of an expression that is true (of one that is false, for `why=False`, with the opposite sign)."""
    assert truth(expression, state) is why
    match expression:
        case Name(name):
            return frozenset({name if why else f"!{name}"})
        case Not(operand):
            return reasons(operand, state, why=not why)
        case And(operands) | Or(operands):
            guilty = [operand for operand in operands if truth(operand, state) is why]
            return frozenset().union(*(reasons(operand, state, why=why) for operand in guilty))
    raise TypeError(expression)


def states(definitions: Mapping[str, Expression], primaries: Mapping[str, Truth]) -> dict[str, Truth]:
    """All defects on one lumisection; definitions come in an order in which each names earlier ones only."""
    found: dict[str, Truth] = dict(primaries)
    for name, expression in definitions.items():
        found[name] = truth(expression, found)
    return found
