"""`manage.py create_token USER`: the key of a new API token, printed once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from certifier.accounts import services
from certifier.accounts.permissions import can_view
from certifier.accounts.selectors import user_named
from certifier.audit.errors import CertifierError


class Command(BaseCommand):
    help = "Make an API token for USER and print its key, this once. Only a digest of it is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user", help="the account it belongs to")
        parser.add_argument("--name", default="", help="what uses it, so that its owner recognises it later")
        parser.add_argument("--days", type=int, help="after so many days it stops working; without this it does not")

    def handle(self, *args: Any, user: str, name: str, days: int | None, **options: Any) -> None:
        try:
            owner = user_named(user)
        except CertifierError as refusal:
            raise CommandError(refusal.message) from None
        if days is not None and not 1 <= days <= 36_500:
            raise CommandError("--days takes a whole number from 1 to 36500.")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        _, key = services.create_token(actor=None, user=owner, name=name[:80], expires_at=expires_at)
        # The key alone goes to standard output, for TOKEN=$(manage.py create_token USER).
        self.stdout.write(key)
        self.stderr.write("Keep this key now: it is stored nowhere and cannot be shown again.")
        if not can_view(owner):
            self.stderr.write(
                f"{owner.username} has no role, so its token may do nothing. Grant one: manage.py add_user"
            )
