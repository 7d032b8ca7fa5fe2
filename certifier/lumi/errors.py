"""What can be wrong with lumisections, run lists and expressions: typed, and each message names the place."""

from __future__ import annotations

from collections.abc import Sequence


class LumiError(ValueError):
    """Base of every refusal of this room. The message is one that a user can act on."""


class ExpressionError(LumiError):
    """The text is no expression. `position` is the offset (from 0) of the character where it goes wrong."""

    def __init__(self, message: str, position: int = 0) -> None:
        super().__init__(message)
        self.position = position


class UnknownName(LumiError):
    """A name that is neither primary nor virtual. `names` lists all such names of the definitions or the question."""

    def __init__(self, message: str, names: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.names = tuple(names)


class CyclicDefinition(LumiError):
    """Virtual defects that depend on themselves. `cycle` is the way round, its first name repeated at the end."""

    def __init__(self, message: str, cycle: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.cycle = tuple(cycle)


def shown(value: object) -> str:
    """The value for a message: short whatever it is (Python refuses to print very large integers)."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length()} bits"
    text = str(value) if isinstance(value, str) else repr(value)
    if len(text) > 40:
        return f'"{text[:40]}…" ({len(text)} characters)'
    return f'"{text}"' if isinstance(value, str) else text
