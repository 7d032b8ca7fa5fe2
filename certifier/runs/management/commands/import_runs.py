"""manage.py import_runs FILE...: runs and lumisections from files."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from certifier.accounts.command_line import actor_named
from certifier.accounts.permissions import NotAllowed
from certifier.audit.request_id import request_id_scope
from certifier.runs.file_import import ImportOutcome, import_file
from certifier.runs.importers import FileRefused, Imported, read_file


class Progress:
    """What is being done, on standard error, once it has taken more than a second."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.next = time.monotonic() + 1
        self.shown = False

    def __call__(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        if now < self.next:
            return
        self.next = now + (0.5 if sys.stderr.isatty() else 5)
        self.shown = True
        end = "" if sys.stderr.isatty() else "\n"
        print(f"\r{self.name}: {done:,} of {total:,} {what} … ", end=end, file=sys.stderr, flush=True)

    def clear(self) -> None:
        if self.shown and sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


class Command(BaseCommand):
    help = (
        "Import runs and lumisections: OMS CSV or JSON, brilcalc CSV, Certifier JSON, a map of reference runs, sPHENIX "
        "run details. Each file is written whole or not at all; what is there already stays untouched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
        parser.add_argument("--user", help="in whose name (default: the installation itself)")

    def handle(self, *args: Any, files: list[Path], dry_run: bool, user: str | None, **options: Any) -> None:
        actor = actor_named(user)
        refused = 0
        for path in files:
            progress = Progress(path.name)
            try:
                with request_id_scope():
                    imported = read_file(path, progress)
                    outcome = import_file(
                        actor=actor, imported=imported, source=path.name, progress=progress, dry_run=dry_run
                    )
            except NotAllowed as error:
                raise CommandError(str(error)) from None
            except FileRefused as error:
                refused += 1
                progress.clear()
                self.stderr.write(f"{path}: {error}")
                continue
            progress.clear()
            self.stdout.write(f"{path}: {summary(imported, outcome, dry_run=dry_run)}")
            for note in imported.notes:
                self.stderr.write(f"{path}: note: {note}.")
        if refused:
            raise CommandError(f"{refused} of {len(files)} files were not imported; nothing of them was written.")


def summary(imported: Imported, outcome: ImportOutcome, *, dry_run: bool) -> str:
    parts = []
    if imported.runs:
        runs = outcome.runs
        parts.append(f"{len(imported.runs):,} runs ({runs.created:,} new, {runs.updated:,} changed)")
    if outcome.lumisections:
        parts.append(f"{outcome.lumisections:,} lumisections ({outcome.lumisections_changed:,} new or changed)")
    if outcome.flags_changed:
        parts.append(f"{outcome.flags_changed:,} condition flags changed")
    if imported.references:
        references = outcome.references
        parts.append(
            f"{len(imported.references):,} reference runs ({references.created:,} new, {references.updated:,} changed)"
        )
    end = "" if outcome.changed else "; nothing changed"
    return (
        f"{imported.format}: {', '.join(parts)}{end}{' (dry run, taken back)' if dry_run and outcome.changed else ''}."
    )
