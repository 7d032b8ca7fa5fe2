"""From when an answer is: HEAD, or a tag, which is a frozen pair of entries and definitions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from certifier.lumi import RunSelection

from .errors import NotPartOfTag, UnknownTag
from .logic_at import LogicAt, logic_at, logic_built
from .models import Tag
from .naming import HEAD, did_you_mean, key_of, quoted


@dataclass(frozen=True, slots=True)
class AsOf:
    """`up_to` and `version` of None mean HEAD; version 0 is before the first definition."""

    name: str
    up_to: int | None
    version: int | None
    runs: RunSelection
    at: datetime | None = None
    description: str = ""
    # When its definitions were made, where that is known: then they need not be asked for.
    defined_at: datetime | None = None

    @property
    def is_head(self) -> bool:
        return self.up_to is None

    def logic(self) -> LogicAt:
        if self.defined_at is not None:
            return logic_built(self.version, self.defined_at)
        return logic_at(self.version)

    def check(self, run: int) -> None:
        """Raises NotPartOfTag when the run (its number) lies outside a restricted tag: that is not the same as good."""
        if run not in self.runs:
            raise NotPartOfTag(f"Run {run} is not part of tag {self.name}, which covers runs {_short(str(self.runs))}.")


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"


NOW = AsOf(HEAD, None, None, RunSelection())


def as_of(tag: Tag | str | None) -> AsOf:
    """The moment that a tag, its name (ignoring case), "HEAD" or nothing stands for. Raises UnknownTag."""
    if not tag or (isinstance(tag, str) and key_of(tag) == key_of(HEAD)):
        return NOW
    found = tag_named(tag) if isinstance(tag, str) else tag
    return AsOf(
        name=found.name,
        up_to=found.entry_id,
        version=found.logic_id or 0,
        runs=RunSelection.parse(found.runs),
        at=found.created_at,
        description=found.description,
        defined_at=found.logic.at if found.logic is not None else None,
    )


def known_tags(count: int, at: datetime | None) -> list[Tag]:
    """Every tag, the newest first, for who has read how many there are and when the newest was made. Tags never change,
    so what was read for these is kept: no query while nobody makes one."""
    return list(_tags(count, at)) if count else []


@lru_cache(maxsize=2)
def _tags(count: int, at: datetime | None) -> tuple[Tag, ...]:
    columns = ("name", "entry_id", "logic__at", "runs", "created_at", "description")
    return tuple(Tag.objects.select_related("logic").only(*columns))


def tag_named(name: str) -> Tag:
    """The tag of that name, ignoring case. Raises UnknownTag."""
    tag = (
        Tag.objects.select_related("logic").filter(name__iexact=name).first()
        if name.isascii() and "\x00" not in name
        else None
    )
    if tag is None:
        known = list(Tag.objects.values_list("name", flat=True))
        raise UnknownTag(f"There is no tag {quoted(name)}.{did_you_mean(name, known)}")
    return tag
