"""`Logic`: the definitions of all virtual defects together, checked, put in order and ready to be
evaluated.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from .errors import CyclicDefinition, ExpressionError, LumiError, UnknownName, shown
from .evaluation import Evaluation
from .expressions import Expression, check_name, parse
from .lumiset import LumiSet
from .plan import Plan
from .programs import normal_form
from .slots import Slots

_NOTHING: Final[Mapping[str, int]] = MappingProxyType({})
_PLANS_KEPT: Final = 64


class Logic:
    """Virtual defects over primary ones. Names are known in any case and given back as they were defined.

    It does not change. Build it once per logic version and evaluate it for many runs: expressions are
    compiled here.
    """

    def __init__(self, definitions: Mapping[str, Expression | str], primaries: Collection[str]) -> None:
        """Raises ExpressionError for text that is no expression, UnknownName for a name that is not defined,
        CyclicDefinition for a virtual defect that depends on itself, and LumiError for a name that is none
        or is used twice (names that differ in case only are the same).
        """
        spelling = _spelling((*primaries, *definitions))
        expressions = {name.lower(): _parsed(name, given) for name, given in definitions.items()}
        _refuse_unknown_names(expressions, spelling)
        self._direct = {
            key: tuple(name.lower() for name in expression.names) for key, expression in expressions.items()
        }
        ordered = _in_dependency_order(self._direct, spelling)
        keys = [*(key for key in spelling if key not in expressions), *ordered]
        self._slots = Slots([spelling[key] for key in keys], len(keys) - len(ordered))
        self._junctions = {self._slots.by_key[key]: normal_form(expressions[key], self._slots) for key in ordered}
        self._virtuals = tuple(definitions)
        self._plans: dict[tuple[frozenset[str] | None, frozenset[str]], Plan] = {}
        self._primaries: dict[str, tuple[str, ...]] = {}

    # -- what is defined ---------------------------------------------------------------------------

    @property
    def virtuals(self) -> tuple[str, ...]:
        """The virtual defects, in the order in which they were given."""
        return self._virtuals

    @property
    def order(self) -> tuple[str, ...]:
        """The virtual defects, each after those that it depends on."""
        return self._slots.names[self._slots.primaries :]

    def spelled(self, name: str) -> str:
        """The name as it was defined. Raises UnknownName."""
        return self._slots.names[self._slots.of(name)]

    def dependencies(self, name: str) -> tuple[str, ...]:
        """The defects that its expression names, in order of appearance; none for a primary defect."""
        return tuple(self.spelled(key) for key in self._direct.get(self.spelled(name).lower(), ()))

    def primaries_of(self, name: str) -> tuple[str, ...]:
        """The primary defects that it depends on, however deep, by name; of a primary defect, itself."""
        asked = self.spelled(name).lower()
        known = self._primaries.get(asked)
        if known is None:
            reached = self._reached([asked], frozenset())
            known = tuple(sorted(self.spelled(key) for key in reached if key not in self._direct))
            self._primaries[asked] = known
        return known

    # -- evaluation --------------------------------------------------------------------------------

    def evaluate(
        self,
        present: Mapping[str, int],
        domain: int | LumiSet,
        unknown: Mapping[str, int] = _NOTHING,
        ignore: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> Evaluation:
        """Evaluate every virtual defect of one run, or those in `only` and what they depend on.

        Integers are bitsets (`LumiSet.bits`), the domain too: it is the lumisections of the run, and what
        lies outside does not count. `present` and `unknown` are by primary defect; one that is in neither
        is absent everywhere, and where it is in both it is present. Ignored primary defects count as never
        set, ignored virtual ones as absent. The answer for a lumisection depends on nothing else that is
        asked. Raises UnknownName, and LumiError when `present` or `unknown` name a virtual defect.
        """
        whole = domain.bits if isinstance(domain, LumiSet) else LumiSet.from_bits(domain).bits
        plan = self._plan(only, ignore)
        slot = self._slots.primary
        recorded = [(slot(name), bits) for name, bits in present.items()]
        doubtful = [(slot(name), bits) for name, bits in unknown.items() if bits]
        bounds = plan.run(recorded, doubtful, whole)
        return Evaluation(self._slots, plan, bounds)

    def _plan(self, only: Collection[str] | None, ignore: Collection[str]) -> Plan:
        asked = (None if only is None else frozenset(only), frozenset(ignore))
        plan = self._plans.get(asked)
        if plan is None:
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[asked] = self._new_plan(*asked)
        return plan

    def _new_plan(self, only: frozenset[str] | None, ignore: frozenset[str]) -> Plan:
        ignored = frozenset(self._slots.of(name) for name in ignore)
        keys = self._direct if only is None else [self.spelled(name).lower() for name in only]
        reached = {self._slots.by_key[key] for key in self._reached(keys, ignored)} - ignored
        wanted = {slot: each for slot, each in self._junctions.items() if slot in reached}
        return Plan.of(wanted, ignored, len(self._slots))

    def _reached(self, keys: Iterable[str], ignored: frozenset[int]) -> set[str]:
        """These and all that they depend on, but for what only something ignored depends on."""
        found: set[str] = set()
        waiting = list(keys)
        while waiting:
            key = waiting.pop()
            if key not in found:
                found.add(key)
                if self._slots.by_key[key] not in ignored:
                    waiting.extend(self._direct.get(key, ()))
        return found


def _spelling(names: Iterable[str]) -> dict[str, str]:
    """Every name by its lower-case form."""
    found: dict[str, str] = {}
    for name in names:
        key = check_name(name).lower()
        if key in found:
            raise LumiError(f"{shown(found[key])} and {shown(name)} are the same name: names ignore case.")
        found[key] = name
    return found


# One definition is changed, and all others are what they were: their texts are read once.
_parse = lru_cache(maxsize=8_192)(parse)


def _parsed(name: str, given: Expression | str) -> Expression:
    if isinstance(given, Expression):
        return given
    try:
        return _parse(given)
    except ExpressionError as error:
        raise ExpressionError(f"{name}: {error}", error.position) from error


def _refuse_unknown_names(expressions: Mapping[str, Expression], spelling: Mapping[str, str]) -> None:
    unknown: dict[str, str] = {}
    for key, expression in expressions.items():
        for name in expression.names:
            if name.lower() not in spelling:
                unknown.setdefault(name, spelling[key])
    if unknown:
        places = [f"{shown(name)} (in {virtual})" for name, virtual in unknown.items()]
        more = f" and {len(places) - 5} more" if len(places) > 5 else ""
        raise UnknownName(
            f"not defined: {', '.join(places[:5])}{more}; check the names, or define them first.",
            list(unknown),
        )


def _in_dependency_order(direct: Mapping[str, tuple[str, ...]], spelling: Mapping[str, str]) -> list[str]:
    """Depth first, on a path of our own: a chain of definitions may be longer than Python's stack."""
    ordered: dict[str, None] = {}
    for start in direct:
        path: dict[str, Iterator[str]] = {} if start in ordered else {start: iter(direct[start])}
        while path:
            here = next(reversed(path))
            for key in path[here]:
                if key in path:
                    raise _cyclic([spelling[each] for each in path], spelling[key])
                if key in direct and key not in ordered:
                    path[key] = iter(direct[key])
                    break
            else:
                ordered[here] = None
                del path[here]
    return list(ordered)


def _cyclic(path: list[str], again: str) -> CyclicDefinition:
    cycle = [*path[path.index(again) :], again]
    way = cycle if len(cycle) <= 10 else [*cycle[:8], "…", *cycle[-2:]]
    return CyclicDefinition(f"{again} depends on itself: {' -> '.join(way)}; break the circle somewhere.", cycle)
