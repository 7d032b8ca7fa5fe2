"""Conditions of runs that an accounting can be restricted to: where they held, and which there are to choose from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from django.db.models import Value

from certifier.lumi import LumiSet
from certifier.runs.fields import LumiSetField
from certifier.runs.models import ConditionFlag

from .facts import RunRow

MOST_NAMES: Final = 20


@dataclass(frozen=True)
class Held:
    """Where all of some conditions held, by primary key of the run; a run that lacks one of them is not in it.

    `names` are the conditions that there are, where they had to be read anyway.
    """

    flags: tuple[str, ...] = ()
    where: Mapping[int, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Sequence[RunRow], flags: tuple[str, ...]) -> Held:
        """One query, and none where no condition is asked for."""
        if not flags or not rows:
            return cls(flags)
        keys = {row.pk for row in rows}
        among = ConditionFlag.objects.filter(name__in=flags, run_id__gte=min(keys), run_id__lte=max(keys)).order_by()
        nowhere = Value(LumiSet(), output_field=LumiSetField())
        names = ConditionFlag.objects.order_by().values_list(Value(0), "name", nowhere).distinct()
        found: dict[int, list[int]] = {}
        known: set[str] = set()
        for run, name, lumisections in among.values_list("run_id", "name", "lumisections").union(names, all=True):
            if run:
                found.setdefault(run, []).append(lumisections.bits)
            else:
                known.add(name)
        where = {run: _all(bits) for run, bits in found.items() if len(bits) == len(set(flags))}
        return cls(flags, where, tuple(sorted(known)[:MOST_NAMES]))

    def __contains__(self, row: RunRow) -> bool:
        return not self.flags or row.pk in self.where

    def within(self, row: RunRow) -> int:
        """The lumisections of the run that count."""
        return row.domain & self.where.get(row.pk, 0) if self.flags else row.domain


def condition_names() -> list[str]:
    """Some conditions to choose from, by name."""
    names = ConditionFlag.objects.order_by("name").values_list("name", flat=True)
    return list(names.distinct()[:MOST_NAMES])


def _all(sets: Sequence[int]) -> int:
    bits = -1
    for each in sets:
        bits &= each
    return bits
