"""Expressions made ready to run on bitsets.

An expression becomes a tree of `Junction`s in negation normal form: `not` stands before names only. That
form is monotone in its literals, which gives all three things that are asked of it:

- its value for whole runs at once, by `|` and `&` on integers;
- three values: with a lower and an upper bound for every defect, lower bounds for the plain literals and
upper bounds for the negated ones give the lower bound of the expression, and the other way round the upper
one (Kleene's logic);
- causes: what makes an `any` true are its true members, what makes an `all` true is every member. For `not
(A and B)`, which is `not A or not B`, these are the negated reasons why the inside is false.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .expressions import And, Expression, Name, Not, Or
from .slots import Slots

Values = Sequence[int]  # a bitset per defect, by its slot number
# Value of an expression from the bounds for its plain and for its negated literals, and the domain. Bounds
# lie in the domain.
Program = Callable[[Values, Values, int], int]


@dataclass(frozen=True, slots=True)
class Junction:
    """`any` or `all` of: defects present, defects absent (by slot), and further junctions."""

    is_any: bool
    present: tuple[int, ...]
    absent: tuple[int, ...]
    parts: tuple[Junction, ...]
    program: Program = field(compare=False, repr=False)
    # Whether it is the `or` of defects and nothing else: the common case by far.
    is_plain: bool = field(compare=False, repr=False)

    @property
    def is_literal(self) -> bool:
        return len(self.present) + len(self.absent) == 1 and not self.parts


def normal_form(expression: Expression, slots: Slots, *, negated: bool = False) -> Junction:
    """The expression, or its negation. Members stand in the order of their names, in which causes are told."""
    match expression:
        case Name(name):
            slot = (slots.of(name),)
            return _junction(True, (), slot) if negated else _junction(True, slot, ())
        case Not(operand):
            return normal_form(operand, slots, negated=not negated)
        case And(operands) | Or(operands):
            members = [normal_form(operand, slots, negated=negated) for operand in operands]
            return _joined(isinstance(expression, Or) != negated, members, slots)
    raise TypeError(f"{type(expression).__name__} is no expression of this language.")


def _joined(is_any: bool, members: list[Junction], slots: Slots) -> Junction:
    present: set[int] = set()
    absent: set[int] = set()
    parts: dict[Junction, None] = {}
    for member in members:
        if member.is_literal or member.is_any == is_any:
            present.update(member.present)
            absent.update(member.absent)
            parts.update(dict.fromkeys(member.parts))
        else:
            parts[member] = None
    return _junction(is_any, slots.in_order(present), slots.in_order(absent), tuple(parts))


def _junction(
    is_any: bool, present: tuple[int, ...], absent: tuple[int, ...], parts: tuple[Junction, ...] = ()
) -> Junction:
    make = _any_of if is_any else _all_of
    program = make(present, absent, tuple(part.program for part in parts))
    return Junction(is_any, present, absent, parts, program, is_any and not absent and not parts)


def _any_of(present: tuple[int, ...], absent: tuple[int, ...], parts: tuple[Program, ...]) -> Program:
    def program(plain: Values, negated: Values, domain: int) -> int:
        everywhere = domain
        for slot in absent:
            everywhere &= negated[slot]
        bits = domain ^ everywhere
        for slot in present:
            bits |= plain[slot]
        for part in parts:
            bits |= part(plain, negated, domain)
        return bits

    return program


def _all_of(present: tuple[int, ...], absent: tuple[int, ...], parts: tuple[Program, ...]) -> Program:
    def program(plain: Values, negated: Values, domain: int) -> int:
        anywhere = 0
        for slot in absent:
            anywhere |= negated[slot]
        bits = domain & ~anywhere
        for slot in present:
            bits &= plain[slot]
        for part in parts:
            if not bits:
                break
            bits &= part(plain, negated, domain)
        return bits

    return program


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where each defect surely is (`lower`) and where it may be (`upper`), by slot, within the domain."""

    lower: Values
    upper: Values
    domain: int


def contributions(junction: Junction, bounds: Bounds, active: int) -> dict[int, int]:
    """Where each literal is among the causes of a junction, on `active`, where the junction is surely true.

    Bitsets by slot, `~slot` for a negated literal; none of them is empty.
    """
    if junction.is_plain:
        return {slot: bits for slot in junction.present if (bits := bounds.lower[slot] & active)}
    found: dict[int, int] = {}
    if active:
        _contribute(junction, bounds, active, found)
    return found


def _contribute(junction: Junction, bounds: Bounds, active: int, found: dict[int, int]) -> None:
    for slot in junction.present:
        bits = active & bounds.lower[slot] if junction.is_any else active
        if bits:
            found[slot] = found.get(slot, 0) | bits
    for slot in junction.absent:
        bits = active & ~bounds.upper[slot] if junction.is_any else active
        if bits:
            found[~slot] = found.get(~slot, 0) | bits
    for part in junction.parts:
        inside = active
        if junction.is_any:
            inside &= part.program(bounds.lower, bounds.upper, bounds.domain)
        if inside:
            _contribute(part, bounds, inside, found)
