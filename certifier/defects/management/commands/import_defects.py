"""`manage.py import_defects FILE...`: entries from upload text or CSV."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from certifier.accounts.command_line import actor_named
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.defects.importing import Options, Outcome, import_file

SHOWN_NOTES = 40


class Progress:
    """A line on standard error, only when it takes longer than a second, and only for somebody who looks."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self.began > 1:
            sys.stderr.write(f"{self.name}: {done:,} of {total:,} records\n")
            sys.stderr.flush()


class Command(BaseCommand):
    help = (
        "Record the defects of FILE: upload text (@RUN, then DEFECT R|Y|G lines), or CSV with the columns defect,"
        "since_run,since_lb,until_run,until_lb_exclusive,present,recoverable,user,comment. Each file whole or not "
        "at all; the same file again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")
        parser.add_argument("--user", help="whose word the entries are where the file names nobody")
        parser.add_argument(
            "--create-missing",
            action="store_true",
            help="make unknown primary defects, each in the system whose code begins its name (the longest such code)",
        )
        parser.add_argument("--system", default="", help="with --create-missing: the system of all other new defects")
        parser.add_argument(
            "--create-runs", action="store_true", help="give runs that are unknown the length that the file tells"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")

    def handle(self, *args: Any, files: list[str], **options: Any) -> None:
        actor = actor_named(options["user"])
        wanted = Options(
            create_missing=options["create_missing"],
            system=options["system"],
            create_runs=options["create_runs"],
        )
        for name in files:
            self._import(name, actor, wanted, dry_run=options["dry_run"])

    def _import(self, name: str, actor: User | None, options: Options, *, dry_run: bool) -> None:
        try:
            body = Path(name).read_bytes()
        except OSError as error:
            raise CommandError(f"{name}: cannot be read ({error.strerror}).") from error
        try:
            with transaction.atomic():
                outcome = import_file(actor=actor, body=body, options=options, progress=Progress(name))
                transaction.set_rollback(dry_run)
        except CertifierError as error:
            messages = [item["message"] for item in error.errors]
            raise CommandError("\n".join(f"{name}: {message}" for message in messages) + _NOTHING) from error
        except PermissionDenied as error:
            raise CommandError(f"{name}: {error}{_NOTHING}") from error
        self._tell(name, outcome, dry_run=dry_run)

    def _tell(self, name: str, outcome: Outcome, *, dry_run: bool) -> None:
        for run, last in outcome.runs.items():
            self.stdout.write(f"{name}: run {run} gets {last} lumisections, as the file tells.")
        if outcome.defects:
            self.stdout.write(f"{name}: {_count(len(outcome.defects), 'new primary defect')}.")
        for line, note in outcome.notes[:SHOWN_NOTES]:
            self.stdout.write(f"{name}: line {line}: {note}.")
        if len(outcome.notes) > SHOWN_NOTES:
            self.stdout.write(f"{name}: {len(outcome.notes) - SHOWN_NOTES} more such remarks are not shown.")
        parts = [_count(outcome.recorded, "entry", "entries") + (" would be recorded" if dry_run else " recorded")]
        if outcome.known:
            parts.append(f"{outcome.known:,} imported before")
        if outcome.empty:
            parts.append(f"{_count(outcome.empty, 'record')} without a lumisection")
        self.stdout.write(f"{name}: {_count(outcome.records, 'record')}; {', '.join(parts)}.")


_NOTHING = "\nNothing of this file was recorded."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
