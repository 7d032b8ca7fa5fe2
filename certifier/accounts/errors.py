"""Who or what is named and is not there, as types; REST, pages and commands say it in their own shape."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from certifier.audit.errors import CertifierError

NAMED_AT_MOST = 12


class NoSuchSystem(CertifierError):
    """There is no system of that code; the message names those that there are, or the likely ones of many."""

    def __init__(self, code: object, known: Sequence[str]) -> None:
        super().__init__(f"There is no system “{str(code)[:40]}”. {_instead(str(code), known)}", field="system")


class NoSuchUser(CertifierError):
    """There is no account of that name."""

    def __init__(self, name: str) -> None:
        name = name[:60]
        super().__init__(
            f"There is no user “{name}”. Write it as it signs in, or make it: manage.py add_user {name} --role ROLE",
            field="user",
        )


class UserSwitchedOff(CertifierError):
    """The account is there and may do nothing."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The account {name} is switched off: nothing can be done in its name. An administrator switches it on, at "
            "/admin/accounts/user/.",
            field="user",
        )


class SeveralUsers(CertifierError):
    """Names that differ in case only, which Django's own pages do not refuse."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(f"“{name[:60]}” may be {' or '.join(known)}. Write it exactly as it signs in.", field="user")


def _instead(code: str, known: Sequence[str]) -> str:
    if not known:
        return "None is defined yet: a coordinator defines them (POST /api/v1/systems/)."
    likely = get_close_matches(code.lower(), {each.lower() for each in known}, n=3)
    if len(known) > NAMED_AT_MOST and likely:
        return f"Did you mean {' or '.join(each for each in known if each.lower() in likely)}?"
    named = ", ".join(known[:NAMED_AT_MOST])
    more = len(known) - NAMED_AT_MOST
    return f"Systems are {named}" + (f" and {more} more." if more > 0 else ".")
