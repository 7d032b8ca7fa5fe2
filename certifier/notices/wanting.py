"""Who is told of what, on which channel: what a person chose, and where nothing was chosen, what the roles say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from certifier.accounts.models import Role, RoleGrant, User

from .models import Channel, Event, Kind, Preference

COORDINATORS_GET: Final = frozenset({Kind.STOPPED, Kind.JOB, Kind.LIST, Kind.TRAINING, Kind.TREND})
EXPERTS_GET: Final = frozenset({Kind.ITEMS, Kind.STOPPED})
EVERYBODY_GETS: Final = frozenset({Kind.MY_JOB})
# A mail interrupts: only what somebody has to act on.
MAILED: Final = frozenset({Kind.STOPPED, Kind.JOB, Kind.MY_JOB})
# Of these an expert is told of the own systems.
OF_A_SYSTEM: Final = frozenset({Kind.ITEMS, Kind.STOPPED, Kind.TRAINING})
# Who did it knows it.
KNOWN_TO_THE_DOER: Final = frozenset({Kind.STOPPED, Kind.LIST})


@dataclass(frozen=True)
class Reader:
    """A person with a role, and what that person wants."""

    person: User
    roles: frozenset[tuple[str, int | None]]
    chosen: dict[tuple[str, str], bool] = field(default_factory=dict)

    @property
    def is_coordinator(self) -> bool:
        return (Role.COORDINATOR, None) in self.roles

    @property
    def systems(self) -> frozenset[int]:
        """Of which this person is expert."""
        return frozenset(system for role, system in self.roles if role == Role.EXPERT and system is not None)

    def by_default(self, kind: str, channel: str) -> bool:
        gets = kind in EVERYBODY_GETS
        gets = gets or (self.is_coordinator and kind in COORDINATORS_GET)
        gets = gets or (bool(self.systems) and kind in EXPERTS_GET)
        return gets and (channel != Channel.MAIL or kind in MAILED)

    def wants(self, kind: str, channel: str) -> bool:
        return self.chosen.get((kind, channel), self.by_default(kind, channel))

    def channels(self, kind: str) -> frozenset[Channel]:
        return frozenset(channel for channel in Channel if self.wants(kind, channel))

    def concerns(self, event: Event) -> bool:
        """An expert answers for the own systems; a coordinator, and who is expert of none, may hear of all."""
        if event.kind in KNOWN_TO_THE_DOER and event.by_name == self.person.username:
            return False
        if event.kind not in OF_A_SYSTEM or not self.systems or event.system_id in self.systems:
            return True
        return self.is_coordinator and event.kind != Kind.ITEMS

    def told(self, event: Event) -> dict[Channel, Kind]:
        """Where this person is told of an event, and as which kind; nowhere when not at all."""
        if not self.concerns(event):
            return {}
        told = dict.fromkeys(self.channels(event.kind), Kind(event.kind))
        if event.job is not None and event.job.requested_by_id == self.person.pk:
            told |= dict.fromkeys(self.channels(Kind.MY_JOB), Kind.MY_JOB)
        return told


def readers(people: Iterable[Any] | None = None) -> list[Reader]:
    """Everybody who is active and has a role, or those of `people` who are. Three queries."""
    active = User.objects.filter(is_active=True)
    if people is not None:
        active = active.filter(pk__in=[person.pk for person in people])
    roles: dict[int, set[tuple[str, int | None]]] = defaultdict(set)
    for owner, role, system in RoleGrant.objects.filter(user__in=active).values_list("user", "role", "system"):
        roles[owner].add((role, system))
    chosen: dict[int, dict[tuple[str, str], bool]] = defaultdict(dict)
    columns = Preference.objects.filter(person__in=active).values_list("person", "kind", "channel", "is_wanted")
    for owner, kind, channel, is_wanted in columns:
        chosen[owner][kind, channel] = is_wanted
    found = []
    for person in active.order_by("pk"):
        if person.is_superuser:
            roles[person.pk].add((Role.ADMIN, None))
        if roles[person.pk]:
            found.append(Reader(person, frozenset(roles[person.pk]), chosen[person.pk]))
    return found


def reader_of(person: User) -> Reader | None:
    """None: the person may read nothing, and is told nothing."""
    return next(iter(readers([person])), None)
