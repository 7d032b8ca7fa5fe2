"""Sums of luminosity over sets of lumisections, which always say how much of the set they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from certifier.lumi import LumiSet, RunLumiMap
from certifier.runs.profile import Profile, iterate_profiles


@dataclass(frozen=True)
class Luminosity:
    """Delivered and recorded luminosity in inverse nanobarn of a number of lumisections.

    A sum runs over the lumisections that have a value, whose number stands beside it, and is None where
    none has: missing data are never taken for zero.
    """

    lumisections: int = 0
    delivered_inv_nb: float | None = None
    recorded_inv_nb: float | None = None
    delivered_lumisections: int = 0
    recorded_lumisections: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every lumisection has a recorded luminosity."""
        return self.recorded_lumisections == self.lumisections

    @property
    def missing(self) -> int:
        """How many lumisections have no recorded luminosity."""
        return self.lumisections - self.recorded_lumisections

    def __add__(self, other: Luminosity) -> Luminosity:
        return Luminosity(
            self.lumisections + other.lumisections,
            _sum(self.delivered_inv_nb, other.delivered_inv_nb),
            _sum(self.recorded_inv_nb, other.recorded_inv_nb),
            self.delivered_lumisections + other.delivered_lumisections,
            self.recorded_lumisections + other.recorded_lumisections,
        )


NOTHING = Luminosity()


def _sum(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def total(parts: Iterable[Luminosity]) -> Luminosity:
    return sum(parts, start=NOTHING)


def luminosity_in(lumisections: LumiSet, profile: Profile | None) -> Luminosity:
    """The luminosity of these lumisections of a run; None is a run of which no luminosity is known."""
    if profile is None or not lumisections:
        return Luminosity(len(lumisections))
    delivered, with_delivered = profile.sum("delivered_inv_nb", lumisections)
    recorded, with_recorded = profile.sum("recorded_inv_nb", lumisections)
    return Luminosity(
        len(lumisections),
        delivered if with_delivered else None,
        recorded if with_recorded else None,
        with_delivered,
        with_recorded,
    )


class ProfilesByRun(Protocol):
    """Asked in ascending order of runs."""

    def get(self, run: int, /) -> Profile | None: ...


def luminosity_of(content: RunLumiMap, profiles: ProfilesByRun | None = None) -> Luminosity:
    """The luminosity of a list as it is known now. Without `profiles` they are read and pass by a batch at a time."""
    found = Luminosity(content.count)
    known = iterate_profiles(content) if profiles is None else ((run, profiles.get(run)) for run in content)
    for run, profile in known:
        if profile is not None:
            found += _without_count(luminosity_in(content[run], profile))
    return found


def _without_count(part: Luminosity) -> Luminosity:
    return Luminosity(
        0,
        part.delivered_inv_nb,
        part.recorded_inv_nb,
        part.delivered_lumisections,
        part.recorded_lumisections,
    )
