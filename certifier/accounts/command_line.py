"""In whose name a command writes."""

from __future__ import annotations

from django.core.management.base import CommandError

from certifier.audit.errors import CertifierError

from .models import User
from .selectors import user_named


def actor_named(name: str | None) -> User | None:
    """The person of `--user`; without it nobody, which is the installation itself. Raises CommandError."""
    try:
        return None if name is None else user_named(name)
    except CertifierError as refusal:
        raise CommandError(refusal.message) from None
