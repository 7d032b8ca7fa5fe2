"""Formulas over columns, read strictly and computed with numpy.

    sum      a + b, a - b        compare  < <= > >= == !=        (once: a < b < c is refused)
    product  a * b, a / b, a % b and      && or `and`            or   || or `or`
    power    a ** b, a ^ b       not      ! or `not`             call f(a, ...)

As in C++, every value is a number: a comparison gives 1 or 0, and what is not 0 is true. NaN is not known: arithmetic
with it gives NaN, a comparison with it gives 0 (also `!=`), and it is neither true nor false: `!x` of NaN is 0.
What has no finite value, such as 1 / 0 or log(-1), is NaN as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mlcore.errors import MlcoreError

FloatArray = npt.NDArray[np.float64]
Columns = Mapping[str, npt.ArrayLike]

LONGEST: Final = 1_000
DEEPEST: Final = 30


class FormulaError(MlcoreError):
    """The text is no formula; `position` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at character {position + 1})")
        self.position = position


def is_true(values: FloatArray) -> npt.NDArray[np.bool_]:
    """What a selection takes: known, and not 0."""
    return np.not_equal(values, 0) & ~np.isnan(values)


def _compared(how: Callable[[FloatArray, FloatArray], npt.NDArray[np.bool_]]) -> Callable[..., FloatArray]:
    def compare(left: FloatArray, right: FloatArray) -> FloatArray:
        known = ~(np.isnan(left) | np.isnan(right))
        return (how(left, right) & known).astype(np.float64)

    return compare


def _number(flags: npt.NDArray[np.bool_]) -> FloatArray:
    return flags.astype(np.float64)


_OPERATORS: Final[Mapping[str, Callable[..., FloatArray]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "**": np.power,
    "<": _compared(np.less),
    "<=": _compared(np.less_equal),
    ">": _compared(np.greater),
    ">=": _compared(np.greater_equal),
    "==": _compared(np.equal),
    "!=": _compared(np.not_equal),
    "&&": lambda left, right: _number(is_true(left) & is_true(right)),
    "||": lambda left, right: _number(is_true(left) | is_true(right)),
}

# Name -> (how many arguments, what it does).
FUNCTIONS: Final[Mapping[str, tuple[int, Callable[..., FloatArray]]]] = {
    "abs": (1, np.abs),
    "sqrt": (1, np.sqrt),
    "exp": (1, np.exp),
    "log": (1, np.log),
    "log10": (1, np.log10),
    "sin": (1, np.sin),
    "cos": (1, np.cos),
    "tan": (1, np.tan),
    "atan2": (2, np.arctan2),
    "floor": (1, np.floor),
    "ceil": (1, np.ceil),
    "round": (1, np.round),
    "sign": (1, np.sign),
    "min": (2, np.minimum),
    "max": (2, np.maximum),
    "pow": (2, np.power),
    "known": (1, lambda values: _number(~np.isnan(values))),
}
_WORDS: Final = {"and": "&&", "or": "||", "not": "!", "^": "**"}
_COMPARISONS: Final = ("<", "<=", ">", ">=", "==", "!=")
_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
    r"|(?P<sign>\*\*|<=|>=|==|!=|&&|\|\||[-+*/%^<>!(),]))"
)


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Column:
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function with its arguments, or `-` or `!` before one."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Values joined by operators of one rank, from left to right: `a - b + c`. However long, it is one node deep."""

    first: Node
    rest: tuple[tuple[str, Node], ...]


Node = Number | Column | Call | Chain


class _Token(NamedTuple):
    kind: str  # number, name, sign, end
    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that was read. `parse` makes it."""

    text: str
    node: Node

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it needs, each once, in order of appearance."""
        return tuple(dict.fromkeys(_names(self.node)))

    def evaluate(self, columns: Columns) -> FloatArray:
        """Its value for every row, shape (rows,). Columns are numbers of shape (rows,), NaN where not known.

        Raises KeyError for a column that is not there, ValueError for columns of different lengths.
        """
        arrays = {name: np.asarray(columns[name], dtype=np.float64) for name in self.names}
        lengths = {name: array.shape for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"the columns have different shapes: {lengths}.")
        with np.errstate(all="ignore"):
            found = _value(self.node, arrays)
        shape = next(iter(lengths.values()), ())
        return np.broadcast_to(found, shape).astype(np.float64)

    def substituted(self, aliases: Mapping[str, Formula]) -> Formula:
        """With what the names stand for in their places. Raises FormulaError for one that stands for itself."""
        return Formula(self.text, _substituted(self.node, aliases, ()))


def parse(text: str) -> Formula:
    """Raises FormulaError naming the place."""
    if len(text) > LONGEST:
        raise FormulaError(f"a formula has at most {LONGEST} characters", LONGEST)
    parser = _Parser(text)
    node = parser.alternatives(0)
    parser.expect_end()
    return Formula(text.strip(), node)


def _names(node: Node) -> Iterator[str]:
    if isinstance(node, Column):
        yield node.name
    else:
        for part in _parts(node):
            yield from _names(part)


def _parts(node: Node) -> tuple[Node, ...]:
    match node:
        case Call(_, arguments):
            return arguments
        case Chain(first, rest):
            return (first, *(part for _, part in rest))
    return ()


def _value(node: Node, arrays: Mapping[str, FloatArray]) -> FloatArray:
    if isinstance(node, Number):
        return np.asarray(node.value)
    if isinstance(node, Column):
        return _finite(arrays[node.name])
    if isinstance(node, Chain):
        found = _value(node.first, arrays)
        for sign, part in node.rest:
            found = _finite(np.asarray(_OPERATORS[sign](found, _value(part, arrays)), dtype=np.float64))
        return found
    values = [_value(argument, arrays) for argument in node.arguments]
    if node.name == "-":
        return -values[0]
    if node.name == "!":
        return _number(np.equal(values[0], 0))
    return _finite(np.asarray(FUNCTIONS[node.name][1](*values), dtype=np.float64))


def _finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, np.nan)


def _substituted(node: Node, aliases: Mapping[str, Formula], inside: tuple[str, ...]) -> Node:
    match node:
        case Call(name, arguments):
            return Call(name, tuple(_substituted(argument, aliases, inside) for argument in arguments))
        case Chain(first, rest):
            parts = tuple((sign, _substituted(part, aliases, inside)) for sign, part in rest)
            return Chain(_substituted(first, aliases, inside), parts)
        case Number():
            return node
    if node.name not in aliases:
        return node
    if node.name in inside:
        raise FormulaError(f"the alias “{node.name}” stands for itself", 0)
    if len(inside) >= DEEPEST:
        raise FormulaError(f"aliases stand for each other more than {DEEPEST} deep", 0)
    return _substituted(aliases[node.name].node, aliases, (*inside, node.name))


class _Parser:
    """One rule of the grammar a method; the loosest first."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.here = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.here]

    def take(self, *signs: str) -> str:
        """The sign that stands here, if it is one of these; empty otherwise."""
        token = self.token
        text = _WORDS.get(token.text, token.text)
        if token.kind in ("sign", "name") and text in signs:
            self.here += 1
            return text
        return ""

    def expect_end(self) -> None:
        if self.token.kind != "end":
            raise FormulaError(f"“{self.token.text}” was not expected here", self.token.position)

    def alternatives(self, depth: int) -> Node:
        self._refuse_depth(depth)
        return self._row(("||",), lambda: self._row(("&&",), lambda: self._denied(depth)))

    def _refuse_depth(self, depth: int) -> None:
        if depth > DEEPEST:
            raise FormulaError(f"a formula is nested at most {DEEPEST} deep", self.token.position)

    def _row(self, signs: tuple[str, ...], rule: Callable[[], Node]) -> Node:
        first, rest = rule(), []
        while sign := self.take(*signs):
            rest.append((sign, rule()))
        return Chain(first, tuple(rest)) if rest else first

    def _denied(self, depth: int) -> Node:
        denials = 0
        while self.take("!"):
            denials += 1
        node = self._comparison(depth)
        for _ in range(min(denials, 2 - denials % 2)):  # two of them are not none: they make 0 or 1
            node = Call("!", (node,))
        return node

    def _comparison(self, depth: int) -> Node:
        left = self._sum(depth)
        sign = self.take(*_COMPARISONS)
        if not sign:
            return left
        node = Chain(left, ((sign, self._sum(depth)),))
        if self.token.kind == "sign" and self.token.text in _COMPARISONS:
            raise FormulaError("compare two values at a time; join comparisons with &&", self.token.position)
        return node

    def _sum(self, depth: int) -> Node:
        return self._row(("+", "-"), lambda: self._row(("*", "/", "%"), lambda: self._signed(depth)))

    def _signed(self, depth: int) -> Node:
        negative = False
        while sign := self.take("-", "+"):
            negative ^= sign == "-"
        node = self._power(depth)
        return Call("-", (node,)) if negative else node

    def _power(self, depth: int) -> Node:
        base = self._atom(depth)
        if not self.take("**"):
            return base
        self._refuse_depth(depth)
        return Chain(base, (("**", self._signed(depth + 1)),))

    def _atom(self, depth: int) -> Node:
        token = self.token
        if token.kind == "end":
            raise FormulaError("a value is missing at the end", token.position)
        self.here += 1
        if token.kind == "number":
            return Number(_read_number(token))
        if token.kind == "name" and token.text not in _WORDS:
            return self._call(token, depth) if self.take("(") else Column(token.text)
        if token.text in {"!", "not"}:
            # Behind an operator it belongs to the next value alone, as in C++: 1 + !x.
            self._refuse_depth(depth)
            return Call("!", (self._atom(depth + 1),))
        if token.text != "(":
            raise FormulaError(f"a value is missing before “{token.text}”", token.position)
        node = self.alternatives(depth + 1)
        if not self.take(")"):
            raise FormulaError("a “)” is missing", self.token.position)
        return node

    def _call(self, name: _Token, depth: int) -> Node:
        if name.text not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise FormulaError(f"there is no function “{name.text}”; there are {known}", name.position)
        arguments = [self.alternatives(depth + 1)]
        while self.take(","):
            arguments.append(self.alternatives(depth + 1))
        if not self.take(")"):
            raise FormulaError("a “)” is missing", self.token.position)
        count = FUNCTIONS[name.text][0]
        if len(arguments) != count:
            raise FormulaError(f"{name.text} takes {count} values, not {len(arguments)}", name.position)
        return Call(name.text, tuple(arguments))


def _read_number(token: _Token) -> float:
    value = float(token.text)
    if not np.isfinite(value):
        raise FormulaError(f"{token.text[:20]} is too large", token.position)
    return value


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    end = len(text.rstrip())
    while place < end:
        found = _TOKEN.match(text, place)
        if found is None:
            place += len(text[place:]) - len(text[place:].lstrip())
            raise FormulaError(f"“{text[place]}” has no meaning here", place)
        kind = found.lastgroup or ""
        yield _Token(kind, found[kind], found.start(kind))
        place = found.end()
    yield _Token("end", "", len(text))
