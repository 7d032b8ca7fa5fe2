"""What somebody wants to say, and whether it can be said: known run, primary defect, lumisections of that run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from certifier.audit.errors import ErrorItem
from certifier.lumi import LARGEST_RUN, LumiError, LumiSet
from certifier.runs.models import Run

from .errors import EntriesRefused
from .models import Defect
from .naming import NAME, did_you_mean, key_of, quoted

MAX_COMMENT = 4_000
MAX_USER = 150
ENTRIES_PER_REQUEST = 20_000
SOUGHT_AT_ONCE = 500
SHOWN_GUESSES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """One thing to say. `lumisections` is text ("1-4 9 20-End", "all") or a set; `run` is the run's number.

    `user` and `entered_at` are for what was said elsewhere before (an import); left out they are the actor and now.
    """

    run: int
    defect: str
    lumisections: str | LumiSet
    present: bool = True
    recoverable: bool = False
    comment: str = ""
    user: str | None = None
    entered_at: datetime | None = None


class KnownRun(NamedTuple):
    pk: int
    number: int
    last: int


class KnownDefect(NamedTuple):
    pk: int
    name: str
    system: int
    expression: str | None
    needs_comment: bool = False


class Resolved(NamedTuple):
    """An entry that can be recorded."""

    run: KnownRun
    defect: KnownDefect
    lumisections: LumiSet
    entry: NewEntry


class Refusal(Exception):
    """Why one entry cannot be recorded, and which field is to blame."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class Register:
    """The runs and defects that some entries speak of, read at once."""

    def __init__(self, runs: Collection[int], defects: Collection[str], *, comments_demanded: bool = True) -> None:
        self._comments_demanded = comments_demanded
        self._runs = known_runs(runs)
        self._defects = known_defects(defects)
        self._all_names: list[str] | None = None
        self._unknown: dict[str, Refusal] = {}

    def run(self, number: int) -> KnownRun:
        run = self._runs.get(number)
        if run is None:
            raise Refusal("run", f"Run {number} is not known. Import the run first.")
        return run

    def defect(self, name: str) -> KnownDefect:
        defect = self._defects.get(key_of(name))
        if defect is None:
            raise self._unknown_defect(name)
        if defect.expression is not None:
            raise Refusal(
                "defect",
                f"{defect.name} is virtual: it follows from {quoted(defect.expression)} and cannot be recorded. "
                "Record one of the primary defects in it.",
            )
        return defect

    def _unknown_defect(self, name: str) -> Refusal:
        # One refusal per name: finding what was meant is slow, and a bad file repeats its mistake on every line.
        refusal = self._unknown.get(name)
        if refusal is None:
            if self._all_names is None:
                self._all_names = list(Defect.objects.filter(expression=None).values_list("name", flat=True))
            meant = did_you_mean(name, self._all_names) if len(self._unknown) < SHOWN_GUESSES else ""
            refusal = self._unknown[name] = Refusal("defect", f"There is no defect {quoted(name)}.{meant}")
        return refusal

    def lumisections(self, value: str | LumiSet, run: KnownRun) -> LumiSet:
        """The lumisections of the run that are meant; never empty."""
        if not run.last:
            raise Refusal(
                "lumisections", f"Run {run.number} has no lumisections yet, so nothing can be recorded for it."
            )
        if isinstance(value, LumiSet):
            lumisections = value
            if lumisections.last and lumisections.last > run.last:
                raise Refusal(
                    "lumisections",
                    f"Lumisection {lumisections.last} is beyond the end of run {run.number}, which has {run.last}.",
                )
        else:
            try:
                lumisections = LumiSet.parse(value, last=run.last)
            except LumiError as error:
                raise Refusal("lumisections", f"Run {run.number}: {error}") from error
        if not lumisections:
            raise Refusal("lumisections", "Name at least one lumisection, or write “all” for the whole run.")
        return lumisections

    def resolve(self, entry: NewEntry) -> Resolved:
        """Raises Refusal naming the first field that is wrong."""
        run = self.run(entry.run)
        defect = self.defect(entry.defect)
        lumisections = self.lumisections(entry.lumisections, run)
        check_comment(entry.comment)
        if defect.needs_comment and self._comments_demanded and not entry.comment.strip():
            raise Refusal("comment", f"{defect.name} is not recorded without a comment: say what was seen, and where.")
        if entry.user is not None and not 0 < len(entry.user) <= MAX_USER:
            raise Refusal("user", f"A user name has 1 to {MAX_USER} characters.")
        if entry.entered_at is not None and entry.entered_at.tzinfo is None:
            raise Refusal("entered_at", "A time needs its time zone; give UTC.")
        return Resolved(run, defect, lumisections, entry)


def check_comment(comment: str) -> None:
    if len(comment) > MAX_COMMENT:
        raise Refusal("comment", f"The comment has {len(comment)} characters; at most {MAX_COMMENT} are kept.")
    if "\x00" in comment:
        raise Refusal("comment", "The comment holds the character NUL, which cannot be stored.")


def resolve_all(entries: Sequence[NewEntry], *, comments_demanded: bool = True) -> list[Resolved]:
    """Every entry against the books. What was said elsewhere before may lack the comment that is demanded now.

    Raises EntriesRefused that names each bad one by its index.
    """
    names = {entry.defect for entry in entries}
    register = Register({entry.run for entry in entries}, names, comments_demanded=comments_demanded)
    resolved: list[Resolved] = []
    errors: list[ErrorItem] = []
    for index, entry in enumerate(entries):
        try:
            resolved.append(register.resolve(entry))
        except Refusal as refusal:
            errors.append({"index": index, "field": refusal.field, "message": refusal.message})
    if errors:
        raise EntriesRefused(errors)
    return resolved


def known_runs(numbers: Iterable[int]) -> dict[int, KnownRun]:
    """The runs of these numbers that we have."""
    sought = sorted({number for number in numbers if 0 < number <= LARGEST_RUN})
    found: dict[int, KnownRun] = {}
    for at in range(0, len(sought), SOUGHT_AT_ONCE):
        rows = Run.objects.filter(number__in=sought[at : at + SOUGHT_AT_ONCE])
        for pk, number, last in rows.values_list("pk", "number", "last_lumisection"):
            found[number] = KnownRun(pk, number, last)
    return found


def known_defects(names: Iterable[str]) -> Mapping[str, KnownDefect]:
    """The defects of these names by lower-case name; all of them when there are many names."""
    keys = {key_of(name) for name in names if NAME.fullmatch(name)}
    rows = Defect.objects.order_by()
    if len(keys) <= SOUGHT_AT_ONCE:
        rows = rows.filter(name_key__in=keys)
    return {
        key: KnownDefect(pk, name, system, expression, needs_comment)
        for key, pk, name, system, expression, needs_comment in rows.values_list(
            "name_key", "pk", "name", "system_id", "expression", "needs_comment"
        )
    }
