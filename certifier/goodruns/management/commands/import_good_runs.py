"""`manage.py import_good_runs FILE...`: lists made elsewhere, and the reports that came with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError, CommandParser

from certifier.accounts.command_line import actor_named
from certifier.audit.errors import CertifierError
from certifier.goodruns.importing import Imported, import_file, is_document

LARGEST_FILE = 50_000_000


class Command(BaseCommand):
    help = (
        "Import good-run lists: golden JSON, GRL XML, CSV (run,first,last), or one run per line (each good as a "
        "whole). "
        "X_cutflow_report.json is attached to the list X or X_grl. Each file whole or not at all; the same file "
        "again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE")
        parser.add_argument("--name", default="", help="of the list; the file's own name when left out")
        parser.add_argument("--user", help="who publishes it; the installation itself when left out")

    def handle(self, *args: Any, files: list[str], name: str, **options: Any) -> None:
        if name and len(files) > 1:
            raise CommandError("--name goes with one FILE; several lists cannot have one name.")
        actor = actor_named(options["user"])
        failed = 0
        # Reports after lists, whatever the order in which a shell names the files.
        for file in sorted(files, key=is_document):
            try:
                self._tell(file, import_file(actor=actor, file_name=file, data=_read(file), name=name))
            except (CertifierError, PermissionDenied, OSError) as error:
                failed += 1
                self.stderr.write(f"{file}: {_words(error)}")
        if failed:
            raise CommandError(f"{failed} of {len(files)} files not imported; of these nothing was changed.")

    def _tell(self, file: str, imported: Imported) -> None:
        list_ = imported.list_
        if imported.document is not None:
            done = "attached to" if imported.changed else "is with"
            self.stdout.write(f"{file}: {done} list {list_.name} ({list_.pk}).")
            return
        done = "imported as" if imported.changed else "is already there as"
        self.stdout.write(
            f"{file}: {done} list {list_.name} ({list_.pk}): {list_.run_count:,} runs, "
            f"{list_.lumisection_count:,} lumisections, sha256 {list_.sha256[:12]}."
        )
        for remark in imported.remarks:
            self.stdout.write(f"{file}: {remark}")


def _read(file: str) -> bytes:
    path = Path(file)
    if path.stat().st_size > LARGEST_FILE:
        raise CertifierError(f"the file is larger than {LARGEST_FILE:,} bytes, which no good-run list is.")
    return path.read_bytes()


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"cannot be read ({error.strerror})."
    return str(error)
