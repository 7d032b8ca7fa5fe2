"""The cast and the things around them, built through services as the program itself builds them.

Ada is expert of LAR, Ben a shifter, Chi a coordinator, Ova the administrator. Dee can log in and has no role: every
permission is tested by refusing somebody who lacks it.
"""

from __future__ import annotations

from django.utils import timezone

from certifier.accounts import services
from certifier.accounts.models import Role, System, User
from certifier.runs.models import Run

SYSTEMS = {
    "PIXEL": "Pixel detector",
    "SCT": "Semiconductor tracker",
    "LAR": "Liquid-argon calorimeter",
    "TILE": "Tile calorimeter",
    "TRIG_L1": "Level-1 trigger",
    "GLOBAL": "Whole experiment",
}


def make_system(code: str, name: str = "") -> System:
    return services.create_system(actor=None, code=code, name=name or SYSTEMS.get(code, code))


def make_user(username: str, role: str = "", system: System | None = None) -> User:
    """Somebody who can log in; without `role` that is all they can do."""
    user = services.create_user(actor=None, username=username, first_name=username.title())
    if role:
        services.grant_role(actor=None, user=user, role=role, system=system)
    return user


def make_expert(username: str, system: System) -> User:
    return make_user(username, Role.EXPERT, system)


def make_run(number: int = 350479, lumisections: int = 100, **fields: object) -> Run:
    return Run.objects.create(number=number, last_lumisection=lumisections, updated_at=timezone.now(), **fields)
