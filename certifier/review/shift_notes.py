"""What a shift tells the next one."""

from __future__ import annotations

from typing import Final

from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.audit.unit import unit_of_work

from .models import ShiftNote

LONGEST_NOTE: Final = 4_000


class NoteRefused(CertifierError):
    """The note cannot be kept as written; the message says why."""


def write_note(*, actor: User | None, text: str) -> ShiftNote:
    """Keep a note for whoever comes next. Shifters, experts and coordinators."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_hand_over(actor))
        text = text.replace("\0", "").strip()
        if not text or len(text) > LONGEST_NOTE:
            raise NoteRefused(f"Write 1 to {LONGEST_NOTE} characters.", field="text")
        row = ShiftNote.objects.create(
            text=text,
            by=unit.actor,  # type: ignore[misc]  # the audit room knows no more than that it is a person
            by_name=unit.actor_name,
            at=timezone.now(),
        )
        unit.audit("review.write_note", f"note {row.pk}", {"characters": len(text)})
    return row
