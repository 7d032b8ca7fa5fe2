"""`manage.py export_good_runs NAME_OR_ID --format F [-o FILE]`: a list as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from certifier.audit.errors import CertifierError
from certifier.goodruns import contents, formats, selectors


class Command(BaseCommand):
    help = (
        "Write a good-run list to standard output or to a file. An imported golden JSON comes back in the layout it "
        "had, byte for byte if it was canonical; --canonical writes the one line whose sha256 is the list's. run-list "
        "names runs only, for lists of whole runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("list", metavar="NAME_OR_ID")
        parser.add_argument("--format", choices=formats.FORMATS, default="golden-json", help="golden-json by default")
        parser.add_argument("-o", "--output", metavar="FILE", help="standard output when left out")
        parser.add_argument("--canonical", action="store_true", help="golden JSON on one line, whatever it was")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            list_ = selectors.list_named(options["list"])
        except CertifierError as error:
            raise CommandError(str(error)) from error
        data = contents.export(list_, options["format"], canonical=options["canonical"])
        if options["output"] is None:
            # Bytes as they are: a text stream might turn line ends into those of the system.
            self.stdout.write(data.decode(), ending="")
            return
        path = Path(options["output"])
        try:
            path.write_bytes(data)
        except OSError as error:
            raise CommandError(f"{path}: cannot be written ({error.strerror}).") from error
        self.stderr.write(f"{path}: {list_.run_count:,} runs, {list_.lumisection_count:,} lumisections.")
