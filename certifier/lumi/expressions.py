"""The language of virtual defects: `A or B and not C`, and the ATLAS list `A B !C`, which means the `or`
of its terms.

Both forms become the same tree. It is canonical: neighbouring `or`s (and `and`s) are one node, so that
`parse(str(expression)) == expression`, and two texts that differ in blanks, needless parentheses or form
are equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

from .errors import ExpressionError, LumiError, shown

MAX_TERMS: Final = 1000
MAX_DEPTH: Final = 50

_NAME = re.compile(r"[A-Za-z0-9_]+")
_RESERVED = frozenset({"and", "or", "not"})
_TOKEN = re.compile(r"[ \t\r\n]*(?:([A-Za-z0-9_]+)|([()!]))")
_NOT_BLANK = re.compile(r"[^ \t\r\n]")
# What people type who come from other languages, and what to type here.
_INSTEAD: Final = {
    "&": "write `and`",
    "*": "write `and`",
    "|": "write `or`",
    "+": "write `or`",
    ",": "put blanks between the terms of a list, or write `or`",
    "~": "write `not`",
    "-": "write `not NAME` or `!NAME`",
}


@dataclass(frozen=True)
class Expression:
    """A boolean expression over defects. `str()` is the canonical text, with as few parentheses as
    possible.
    """

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The defects it is made of, in order of appearance, each once ignoring case, as first spelled."""
        found: dict[str, str] = {}
        for name in _leaves(self):
            found.setdefault(name.lower(), name)
        return tuple(found.values())

    def renamed(self, names: Mapping[str, str]) -> Expression:
        """The same expression with defects renamed; old names are found ignoring case, others stay as
        they are.
        """
        return _renamed(self, {old.lower(): check_name(new) for old, new in names.items()})


@dataclass(frozen=True)
class Name(Expression):
    """True where the defect is present."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Not(Expression):
    operand: Expression

    def __str__(self) -> str:
        return f"not {_inside(self.operand, Not)}"


@dataclass(frozen=True)
class And(Expression):
    """True where all operands are. Two or more of them, none an `And`: `all_of` makes it so."""

    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        return " and ".join(_inside(operand, And) for operand in self.operands)


@dataclass(frozen=True)
class Or(Expression):
    """True where any operand is. Two or more of them, none an `Or`: `any_of` makes it so."""

    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.operands))


def any_of(operands: list[Expression]) -> Expression:
    """The `or` of one or more expressions."""
    return operands[0] if len(operands) == 1 else Or(_flat(Or, operands))


def all_of(operands: list[Expression]) -> Expression:
    """The `and` of one or more expressions."""
    return operands[0] if len(operands) == 1 else And(_flat(And, operands))


def check_name(name: str) -> str:
    """The name itself. Raises LumiError when no defect can be called so."""
    if not _NAME.fullmatch(name):
        raise LumiError(f"{shown(name)} cannot name a defect; use the letters A-Z and a-z, digits and _ only.")
    if name.lower() in _RESERVED:
        raise LumiError(f"{shown(name)} cannot name a defect: and, or, not are words of the expression language.")
    return name


def parse(text: str) -> Expression:
    """The expression that the text says. Raises ExpressionError, with the position, when it says none.

    Keywords are known in any case and bind as usual: not, and, or. At most 1,000 terms, at most 50 levels of
    parentheses and nots.
    """
    if not isinstance(text, str):
        raise ExpressionError(f"{shown(text)} is not text; write an expression such as `A or B and not C`.")
    return _Parser(text).parse()


# -- trees -----------------------------------------------------------------------------------------


def _flat(kind: type[And | Or], operands: list[Expression]) -> tuple[Expression, ...]:
    flat: list[Expression] = []
    for operand in operands:
        flat.extend(operand.operands if isinstance(operand, kind) else (operand,))
    return tuple(flat)


def _inside(operand: Expression, parent: type[Not | And]) -> str:
    loose = isinstance(operand, Or) or (parent is Not and isinstance(operand, And))
    return f"({operand})" if loose else str(operand)


def _leaves(expression: Expression) -> Iterator[str]:
    match expression:
        case Name(name):
            yield name
        case Not(operand):
            yield from _leaves(operand)
        case And(operands) | Or(operands):
            for operand in operands:
                yield from _leaves(operand)


def _renamed(expression: Expression, names: Mapping[str, str]) -> Expression:
    match expression:
        case Name(name):
            return Name(names.get(name.lower(), name))
        case Not(operand):
            return Not(_renamed(operand, names))
        case And(operands):
            return And(tuple(_renamed(operand, names) for operand in operands))
        case Or(operands):
            return Or(tuple(_renamed(operand, names) for operand in operands))
    raise TypeError(f"{type(expression).__name__} is no expression of this language.")


# -- text ------------------------------------------------------------------------------------------


class _Token(NamedTuple):
    kind: str  # and, or, not, name, (, ), ! or, at the end of the text, the empty string
    text: str
    position: int


class _Parser:
    """Recursive descent. Tokens are read as they are needed and levels are counted on the way down, so text
    that goes on for a megabyte fails at its first mistake, and no text can exhaust the stack.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._start()

    def _start(self) -> None:
        self._depth = 0
        self._terms = 0
        self._next = self._read(0)

    def parse(self) -> Expression:
        if not self._next.kind:
            raise ExpressionError("the expression is empty; write a defect, or several with `or` between.", 0)
        terms = self._list()
        if not self._next.kind:
            return any_of(terms)
        if len(terms) > 1:
            raise self._mistake("a list of terms holds names and `!` only", "write `or` between the terms to use more")
        self._start()
        found = self._any()
        if self._next.kind == ")":
            raise self._mistake("no parenthesis is open here", "remove this one, or open one before it")
        return found

    def _list(self) -> list[Expression]:
        terms = []
        while self._next.kind in ("name", "!"):
            terms.append(self._literal())
        return terms

    def _any(self) -> Expression:
        operands = [self._all()]
        while self._next.kind == "or":
            self._advance()
            operands.append(self._all())
        if self._next.kind not in (")", ""):
            raise self._mistake("an operator is missing before this", "write `or` (or `and`) between two terms")
        return any_of(operands)

    def _all(self) -> Expression:
        operands = [self._operand()]
        while self._next.kind == "and":
            self._advance()
            operands.append(self._operand())
        return all_of(operands)

    def _operand(self) -> Expression:
        match self._next.kind:
            case "name" | "!":
                return self._literal()
            case "not":
                self._descend()
                operand = self._operand()
                self._depth -= 1
                return Not(operand)
            case "(":
                return self._group()
        raise self._mistake("a defect is missing here", "write its name")

    def _group(self) -> Expression:
        opening = self._descend()
        found = self._any()
        if self._next.kind != ")":
            raise self._mistake("this parenthesis is never closed", "add the `)`", opening)
        self._depth -= 1
        self._advance()
        return found

    def _literal(self) -> Expression:
        if self._next.kind == "name":
            return self._name()
        mark = self._descend()
        if self._next.kind != "name" or self._next.position != mark.position + 1:
            raise self._mistake("`!` stands once and right before a name", "write `!NAME` or `not (...)`", mark)
        self._depth -= 1
        return Not(self._name())

    def _name(self) -> Expression:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise self._mistake(
                f"the expression has more than {MAX_TERMS:,} terms", "split it into several virtual defects"
            )
        return Name(self._advance().text)

    def _descend(self) -> _Token:
        """Take the token that opens a level: a parenthesis, `not` or `!`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._mistake(
                f"the expression is nested more than {MAX_DEPTH} levels deep",
                "split it into several virtual defects",
            )
        return self._advance()

    def _advance(self) -> _Token:
        token = self._next
        self._next = self._read(token.position + len(token.text))
        return token

    def _read(self, start: int) -> _Token:
        found = _TOKEN.match(self._text, start)
        if found is None:
            rest = _NOT_BLANK.search(self._text, start)
            if rest is None:
                return _Token("", "", len(self._text))
            raise self._stranger(_Token("", rest.group(), rest.start()))
        word, mark = found.groups()
        if mark:
            return _Token(mark, mark, found.start(2))
        keyword = word.lower()
        return _Token(keyword if keyword in _RESERVED else "name", word, found.start(1))

    def _stranger(self, token: _Token) -> ExpressionError:
        advice = _INSTEAD.get(token.text, "names have the letters A-Z and a-z, digits and _ only")
        code = "" if token.text.isascii() and token.text.isprintable() else f" (U+{ord(token.text):04X})"
        return self._mistake(f"this character{code} means nothing here", advice, token)

    def _mistake(self, problem: str, advice: str, token: _Token | None = None) -> ExpressionError:
        at = token or self._next
        place = f"character {at.position + 1}, {shown(at.text)}" if at.text else "at the end"
        return ExpressionError(f"{place}: {problem}; {advice}.", at.position)
