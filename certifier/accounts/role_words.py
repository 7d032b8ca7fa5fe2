"""What a role lets somebody do, in the words of a page."""

from __future__ import annotations

from dataclasses import dataclass

from .models import Role, RoleGrant, User

MAY = {
    Role.VIEWER: "Reads everything.",
    Role.SHIFTER: "Records defects of every system and signs the express stage of each.",
    Role.EXPERT: "Defines and records defects of {system}, signs and reopens every stage of it.",
    Role.COORDINATOR: (
        "Writes runs, systems, tags and good-run lists, acts for every system, and grants the roles viewer, shifter "
        "and expert."
    ),
    Role.ADMIN: "Grants roles and manages accounts and tokens, and may do whatever a coordinator may.",
}


@dataclass(frozen=True)
class RoleInWords:
    name: str
    may: str
    grant: RoleGrant | None = None


def roles_in_words(user: User) -> list[RoleInWords]:
    """Every role of a person, the most far-reaching last. One query."""
    grants = list(user.grants.select_related("system", "granted_by").order_by("system__position", "system__code"))
    grants.sort(key=lambda grant: Role.values.index(grant.role))
    words = [_in_words(grant) for grant in grants]
    if user.is_superuser:
        words.append(RoleInWords("superuser", MAY[Role.ADMIN]))
    return words


def _in_words(grant: RoleGrant) -> RoleInWords:
    if grant.system is None:
        return RoleInWords(grant.get_role_display(), MAY[Role(grant.role)], grant)
    name = f"expert of {grant.system.code}"
    return RoleInWords(name, MAY[Role.EXPERT].format(system=grant.system.code), grant)
