"""`manage.py sync SOURCE`: what the workers do every few minutes, at once and here."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from certifier.accounts.command_line import actor_named
from certifier.accounts.permissions import NotAllowed
from certifier.audit.errors import CertifierError
from certifier.runs.management.commands.import_runs import Progress
from certifier.sync import services
from certifier.sync.models import Outcome
from certifier.sync.sources import source_named


class Command(BaseCommand):
    help = (
        "Bring runs and lumisections into step with a source of SYNC_SOURCES (docs/sync.md): another Certifier, OMS, a "
        "CMS Run Registry, or a folder of files. Only what is new or changed is read, and the next pass goes on there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", metavar="SOURCE", help="its name in SYNC_SOURCES")
        parser.add_argument("--user", help="in whose name (default: the installation itself)")

    def handle(self, *args: Any, source: str, user: str | None, **options: Any) -> None:
        actor = actor_named(user)
        progress = Progress(source)
        try:
            row = services.follow(actor=actor, source=source_named(source), progress=progress)
        except (CertifierError, NotAllowed) as error:
            progress.clear()
            raise CommandError(str(error)) from None
        progress.clear()
        self.stdout.write(f"{source}: {services.words_of(row.counts)}, in {row.took_s:.1f} s.")
        if row.outcome == Outcome.REFUSED:
            self.stderr.write(row.words)
            raise CommandError("What is named above was not written and is asked for again by the next pass.")
