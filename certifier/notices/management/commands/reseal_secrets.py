"""`manage.py reseal_secrets`: after STORED_SECRETS_KEY was changed, so that the old key can be forgotten."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from certifier.notices import webhooks


class Command(BaseCommand):
    help = (
        "Encrypt the secrets of webhooks with STORED_SECRETS_KEY that still lie under an older key. Afterwards "
        "STORED_SECRETS_OLD_KEYS may be emptied. Harmless to repeat."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done, unreadable = webhooks.reseal_secrets(actor=None)
        self.stdout.write(f"{done} secret{'' if done == 1 else 's'} encrypted anew.")
        if unreadable:
            raise CommandError(
                f"None of the keys opens the secret of {', '.join(unreadable)}. Name the key it was written with in "
                "STORED_SECRETS_OLD_KEYS, or give these webhooks new secrets on /notices/webhooks/."
            )
