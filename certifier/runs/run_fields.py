"""The facts of a run as they come in, from REST, files or other code: which there are, and what each may be.

One table for everybody who writes runs. Nothing is converted silently: a number in quotes is no number, true is not 1.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from certifier.audit.errors import ErrorItem
from certifier.lumi import LARGEST_RUN, MAX_LUMISECTION, LumiError, LumiSet

from .errors import RunRefused

LARGEST_INTEGER: Final = 2**31 - 1
LARGEST_ATTRIBUTES: Final = 100_000
SHOWN_ERRORS: Final = 100
# Part of what a client reads, so part of what it may send back; what they say is not the client's to decide.
READ_ONLY: Final = frozenset({"version", "updated_at"})


class Unfit(ValueError):
    """A value is not what its field holds; the message says what it holds."""


@dataclass(frozen=True)
class RunFields:
    """The facts of one run that were given, by model field. Facts not given stay as they are."""

    number: int
    given: dict[str, Any]


def run_number(value: object) -> int:
    """The value as a run number. Raises Unfit."""
    return whole_number(1, LARGEST_RUN)(value)


def whole_number(low: int, high: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if isinstance(value, bool):
            raise Unfit(f"Send a whole number, not {str(value).lower()}.")
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            raise Unfit(f"Send a whole number from {low} to {high}.") from None
        if not low <= number <= high:
            raise Unfit(f"The number must be from {low} to {high}.")
        return number

    return check


def finite_number(value: object, largest: float = 1e15) -> float:
    """A number from 0 up; nothing that is measured here is negative, and nothing is larger."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unfit("Send a number.")
    if not math.isfinite(value) or not 0 <= value <= largest:
        raise Unfit(f"The number must be finite and from 0 to {largest:g}.")
    return float(value)


def text(longest: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value is None:
            return ""
        if not isinstance(value, str):
            raise Unfit("Send text.")
        if len(value) > longest:
            raise Unfit(f"The text has {len(value)} characters; {longest} are the most.")
        if not value.isprintable():
            raise Unfit("The text holds a character that cannot be printed, such as a line break or NUL.")
        return value

    return check


def time(value: object) -> datetime:
    """A datetime or ISO 8601 text; without an offset it is UTC, as all times here are."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise Unfit("Send an ISO 8601 time such as 2018-08-02T10:15:00Z.") from None
    if not isinstance(value, datetime):
        raise Unfit("Send an ISO 8601 time such as 2018-08-02T10:15:00Z.")
    try:
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (OverflowError, ValueError):
        raise Unfit("The time lies outside the years 1 to 9999.") from None


def last_lumisection(value: object) -> int:
    """The number of lumisections: an integer, or LumiSet text or value, of which the last counts."""
    try:
        if isinstance(value, str):
            value = LumiSet.parse(value)
    except LumiError as error:
        raise Unfit(str(error)) from None
    if isinstance(value, LumiSet):
        return value.last or 0
    try:
        return whole_number(0, MAX_LUMISECTION)(value)
    except Unfit:
        raise Unfit(f"Send the number of lumisections, 0 to {MAX_LUMISECTION}, or ranges such as 1-728.") from None


def attributes(value: object) -> dict[str, Any]:
    """A JSON object that both databases can hold and give back."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unfit("Send a JSON object, {…}.")
    try:
        written = json.dumps(value, allow_nan=False, ensure_ascii=False)
        written.encode()
    except (ValueError, TypeError, RecursionError):
        raise Unfit("The attributes hold what JSON cannot: NaN, half a surrogate pair, or another type.") from None
    if len(written) > LARGEST_ATTRIBUTES:
        raise Unfit(f"The attributes take {len(written):,} characters; {LARGEST_ATTRIBUTES:,} are the most.")
    if "\\u0000" in written and _holds_nul(value):
        raise Unfit("The attributes hold the character NUL, which cannot be stored.")
    # As they will be read back: keys are text, tuples are lists.
    return json.loads(written)


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in str(key) or _holds_nul(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return any(_holds_nul(item) for item in value)
    return isinstance(value, str) and "\0" in value


def or_unknown(check: Callable[[object], Any]) -> Callable[[object], Any]:
    """null takes a fact back: it is not known."""
    return lambda value: None if value is None else check(value)


# Name in REST and files -> (model field, check).
FIELDS: Final[dict[str, tuple[str, Callable[[object], Any]]]] = {
    "lumisections": ("last_lumisection", last_lumisection),
    "project": ("project", text(60)),
    "period": ("period", text(20)),
    "fill": ("fill", or_unknown(whole_number(0, LARGEST_INTEGER))),
    "started_at": ("started_at", or_unknown(time)),
    "ended_at": ("ended_at", or_unknown(time)),
    "beam": ("beam", text(20)),
    "energy_gev": ("energy_gev", or_unknown(finite_number)),
    "attributes": ("attributes", attributes),
}
PUBLIC_NAME: Final = {model_field: name for name, (model_field, _) in FIELDS.items()}


def read_run(facts: Mapping[str, Any], number: int | None = None) -> RunFields:
    """One run's facts. `number` is given where the address names the run; else `run` must be among them.

    Raises RunRefused naming every field that is wrong or unknown.
    """
    fields, problems = _read(facts, number)
    if fields is None:
        raise RunRefused(_first(problems), errors=problems)
    return fields


def read_runs(runs: Sequence[Any]) -> list[RunFields]:
    """Many runs' facts. Raises RunRefused naming place and field of what is wrong, and runs that stand there twice."""
    found: list[RunFields] = []
    problems: list[ErrorItem] = []
    seen: dict[int, int] = {}
    for index, facts in enumerate(runs):
        if not isinstance(facts, Mapping):
            problems.append({"index": index, "message": "Send a JSON object with the facts of one run."})
            continue
        fields, wrong = _read(facts, None)
        problems += [{"index": index, **item} for item in wrong]
        if fields is not None and seen.setdefault(fields.number, index) != index:
            message = f"Run {fields.number} stands at index {seen[fields.number]} already. Send each run once."
            problems.append({"index": index, "field": "run", "message": message})
        elif fields is not None:
            found.append(fields)
        if len(problems) >= SHOWN_ERRORS:
            break
    if problems:
        raise RunRefused(_first(problems), errors=problems[:SHOWN_ERRORS])
    return found


def _read(facts: Mapping[str, Any], number: int | None) -> tuple[RunFields | None, list[ErrorItem]]:
    problems: list[ErrorItem] = []
    given: dict[str, Any] = {}
    try:
        own = run_number(facts["run"]) if "run" in facts else None
        if number is not None:
            run_number(number)
        if own is None and number is None:
            problems.append({"field": "run", "message": "The run number is missing."})
        elif own is not None and number is not None and own != number:
            problems.append({"field": "run", "message": f"The address says run {number}, the body says {own}."})
    except Unfit as error:
        own = None
        problems.append({"field": "run", "message": str(error)})
    for name, value in facts.items():
        if name in FIELDS:
            field, check = FIELDS[name]
            try:
                given[field] = check(value)
            except Unfit as error:
                problems.append({"field": name, "message": str(error)})
        elif name != "run" and name not in READ_ONLY:
            message = f"There is no such field. Fields are {', '.join(FIELDS)}."
            problems.append({"field": str(name)[:80], "message": message})
    if problems:
        return None, problems
    return RunFields(own if number is None else number, given), []  # type: ignore[arg-type]  # one of both is there


def _first(problems: list[ErrorItem]) -> str:
    item = problems[0]
    place = f"runs[{item['index']}]" if "index" in item else ""
    field = item.get("field", "")
    where = ".".join(part for part in (place, field) if part)
    return f"{where}: {item['message']}" if where else item["message"]


def same_json(one: Any, other: Any) -> bool:
    """Equality of JSON values: true is not 1, but 1 and 1.0 are the same number, as they are to PostgreSQL."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or _same_float(one, other)
    return type(one) is type(other) and bool(one == other)


def _same_float(one: float, other: float) -> bool:
    # PostgreSQL keeps 1e300 as its 301 digits, an integer to Python, that only rounds to the float that was sent.
    try:
        return float(one) == float(other)
    except OverflowError:
        return False
