"""Every permission of the program, as predicates over a person's roles. Nothing else decides what one may do.

A predicate answers a `Verdict`: truthy or not, and when not, whom to ask. Services call `require`, pages and
REST may ask the same predicate to hide a button. The actor None is the installation itself (a periodic task,
a command on the server): it may do everything. A request never has it: nobody logged in is Django's
AnonymousUser, who has no role.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied

from .models import Role, System, User


class NotAllowed(PermissionDenied):
    """The person lacks the role; the message names the role and who can grant it."""


@dataclass(frozen=True)
class Verdict:
    allowed: bool
    reason: str = ""

    def __bool__(self) -> bool:
        return self.allowed


def roles_of(user: Any) -> frozenset[tuple[str, int | None]]:
    """(role, system id) pairs, read once per user object."""
    if user is None:
        return frozenset({(Role.ADMIN, None)})
    if not getattr(user, "is_active", False):
        return frozenset()
    cached: frozenset[tuple[str, int | None]] | None = getattr(user, "_roles", None)
    if cached is None:
        cached = remember_roles(user, user.grants.values_list("role", "system_id"))
    return cached


def remember_roles(user: User, pairs: Iterable[tuple[str, int | None]]) -> frozenset[tuple[str, int | None]]:
    """Keep the (role, system id) pairs that were read of this person, so that no predicate reads them
    again."""
    roles = frozenset(pairs)
    if user.is_superuser:
        roles |= {(Role.ADMIN, None)}
    user._roles = roles  # type: ignore[attr-defined]
    return roles


def forget_roles(user: User) -> None:
    """After a grant changed: the next question reads the database again."""
    user.__dict__.pop("_roles", None)


def _is(user: Any, *roles: str) -> bool:
    return any(role in roles for role, _ in roles_of(user))


def _expert_of(user: Any, system: System | int | None) -> bool:
    wanted = system.pk if isinstance(system, System) else system
    return wanted is not None and (Role.EXPERT, wanted) in roles_of(user)


def _needs(allowed: bool, role: str, doing: str, system: System | int | None = None) -> Verdict:
    if allowed:
        return Verdict(True)
    role = role.format(system=_name(system)) if system is not None else role
    return Verdict(False, f"{doing} needs the role {role}. Ask an administrator to grant it.")


def _name(system: System | int | None) -> str:
    if isinstance(system, int):
        system = System.objects.filter(pk=system).first()
    return str(system) if system else "the system"


def can_view(user: Any) -> Verdict:
    """Any role at all lets a person read everything."""
    return _needs(bool(roles_of(user)), "viewer", "Reading")


def can_write_runs(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Changing runs and lumisections")


def can_record_defects(user: Any, system: System | int) -> Verdict:
    allowed = _is(user, Role.SHIFTER, Role.COORDINATOR, Role.ADMIN) or _expert_of(user, system)
    return _needs(allowed, "shifter, or expert of {system}", "Recording a defect", system)


def can_define_defects(user: Any, system: System | int) -> Verdict:
    allowed = _is(user, Role.COORDINATOR, Role.ADMIN) or _expert_of(user, system)
    return _needs(allowed, "expert of {system}, or coordinator", "Defining a defect", system)


def can_tag(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Creating a tag")


def can_sign(user: Any, system: System | int, stage: str) -> Verdict:
    """Experts sign every stage of their system; shifters sign the express stage of any."""
    allowed = _is(user, Role.COORDINATOR, Role.ADMIN) or _expert_of(user, system)
    if stage == "express":
        allowed = allowed or _is(user, Role.SHIFTER)
    return _needs(allowed, "expert of {system}", f"Signing off the {stage} stage", system)


def can_review(user: Any, system: System | int) -> Verdict:
    """Experts of the system decide, and coordinators in their place."""
    allowed = _is(user, Role.COORDINATOR, Role.ADMIN) or _expert_of(user, system)
    return _needs(allowed, "expert of {system}, or coordinator", "Deciding in the review queue", system)


def can_hand_over(user: Any) -> Verdict:
    """Whoever works on a shift, or answers for what happens on it."""
    allowed = _is(user, Role.SHIFTER, Role.EXPERT, Role.COORDINATOR, Role.ADMIN)
    return _needs(allowed, "shifter", "Writing for the next shift")


def can_write_checklist(user: Any, system: System | int) -> Verdict:
    allowed = _is(user, Role.COORDINATOR, Role.ADMIN) or _expert_of(user, system)
    return _needs(allowed, "expert of {system}, or coordinator", "Changing what is to be looked at", system)


def can_reopen(user: Any, system: System | int) -> Verdict:
    allowed = _is(user, Role.COORDINATOR, Role.ADMIN) or _expert_of(user, system)
    return _needs(allowed, "expert of {system}, or coordinator", "Reopening a sign-off", system)


def can_publish(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Publishing a good-run list")


def can_manage_systems(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Changing the list of systems")


def can_change_elements(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Changing monitoring elements")


def can_manage_models(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Registering or promoting a model")


def can_keep_trends(user: Any, keeper: int | None = None) -> Verdict:
    """Any role lets a person keep trends of their own; those of others are changed by coordinators. `keeper` is the
    primary key of who keeps it, None for a new one."""
    if keeper is not None and keeper != getattr(user, "pk", None):
        return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Changing a trend that another keeps")
    return _needs(bool(roles_of(user)), "viewer", "Keeping a trend")


def can_draw_maps(user: Any) -> Verdict:
    """Whoever looks at data for others: a map reads the histograms of many runs."""
    allowed = _is(user, Role.SHIFTER, Role.EXPERT, Role.COORDINATOR, Role.ADMIN)
    return _needs(allowed, "shifter", "Drawing a map of runs")


def can_train(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Training models, and pausing that,")


def can_set_mode(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Switching the mode of a system")


def can_score(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Scoring runs")


def can_manage_people(user: Any) -> Verdict:
    """Accounts, and everything of Django's administration."""
    return _needs(_is(user, Role.ADMIN), "admin", "Managing accounts")


# What a coordinator gives and takes; who coordinates and administers, administrators say.
GIVEN_BY_COORDINATORS = frozenset({Role.VIEWER, Role.SHIFTER, Role.EXPERT})


def can_grant(user: Any, role: str) -> Verdict:
    """Giving this role to somebody, and taking it away."""
    by_coordinators = role in GIVEN_BY_COORDINATORS
    allowed = _is(user, Role.ADMIN) or (by_coordinators and _is(user, Role.COORDINATOR))
    return _needs(allowed, "coordinator" if by_coordinators else "admin", f"Granting the role {role[:20]}")


def can_manage_jobs(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Starting or dismissing jobs")


def can_manage_webhooks(user: Any) -> Verdict:
    return _needs(_is(user, Role.COORDINATOR, Role.ADMIN), "coordinator", "Defining webhooks")


def can_own_tokens(user: Any, owner: User) -> Verdict:
    """Everybody makes and revokes their own tokens; administrators everybody's."""
    own = getattr(user, "pk", None) == owner.pk and bool(roles_of(user))
    return _needs(own or _is(user, Role.ADMIN), "admin", "Managing another account's tokens")


def require(verdict: Verdict) -> None:
    if not verdict:
        raise NotAllowed(verdict.reason)
