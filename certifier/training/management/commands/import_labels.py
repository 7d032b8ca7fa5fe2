"""`manage.py import_labels FILE --label L --defect D`: labels of an ML4DQM CSV as defects and signatures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.management.base import BaseCommand, CommandError, CommandParser

from certifier.accounts.command_line import actor_named
from certifier.audit.errors import CertifierError
from certifier.training.label_files import import_labels, read_labels


class Command(BaseCommand):
    help = (
        "Take over the labels of FILE (ML4DQM CSV): lumisections that label L calls bad get defect D, those it "
        "calls good lose it, and the system of the defect is signed for each run. The same file again changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path)
        parser.add_argument("--label", required=True, help="the column that says good or bad, such as good or json")
        parser.add_argument("--defect", required=True, help="a primary defect that is there")
        parser.add_argument("--stage", default="express", help="of the signature: express, bulk or final")
        parser.add_argument("--until", type=int, metavar="RUN", help="only runs up to this one")
        parser.add_argument("--user", help="whose word it is; without it, the installation's own")

    def handle(self, *args: Any, file: Path, label: str, defect: str, stage: str, **options: Any) -> None:
        actor = actor_named(options["user"])
        try:
            labels = read_labels(file, label.lower(), lambda done, total, words: None)
            if options["until"] is not None:
                labels = {run: each for run, each in labels.items() if run <= options["until"]}
            done = import_labels(actor=actor, labels=labels, defect=defect, stage=stage, source=file.name)
        except (CertifierError, PermissionDenied) as error:
            raise CommandError(f"{file}: {error}") from None
        self.stdout.write(
            f"{file}: {done.good:,} lumisections called good and {done.bad:,} bad in {done.runs:,} runs; "
            f"{done.entries:,} entries recorded, {done.signed:,} runs signed."
        )
