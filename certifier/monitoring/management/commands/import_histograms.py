"""manage.py import_histograms FILE...: histograms per lumisection from files."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from certifier.accounts.command_line import actor_named
from certifier.accounts.permissions import NotAllowed
from certifier.audit.request_id import request_id_scope
from certifier.monitoring.file_import import Imported, ImportOutcome, import_file, read_file
from certifier.runs.importers import FileRefused
from certifier.runs.management.commands.import_runs import Progress


class Command(BaseCommand):
    help = (
        "Import histograms per lumisection: Parquet, ML4DQM CSV, HDF5 maps, ROOT. Each file is "
        "written whole or not at all; what is there already stays untouched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", type=Path)
        parser.add_argument("--run", type=int, help="the run of files that name none; of others only this run")
        parser.add_argument("--dataset", default="", help="what the histograms are of (default: the run's only one)")
        parser.add_argument(
            "--create-runs", action="store_true", help="make runs that are not known, lengthen those that are too short"
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
        parser.add_argument("--user", help="in whose name (default: the installation itself)")

    def handle(self, *args: Any, files: list[Path], dry_run: bool, **options: Any) -> None:
        actor = actor_named(options["user"])
        refused = 0
        for path in files:
            progress = Progress(path.name)
            try:
                with request_id_scope():
                    imported = read_file(path, progress, run=options["run"])
                    outcome = import_file(
                        actor=actor,
                        imported=imported,
                        dataset=options["dataset"].strip(),
                        source=path.name,
                        progress=progress,
                        create_runs=options["create_runs"],
                        dry_run=dry_run,
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
        if refused:
            raise CommandError(f"{refused} of {len(files)} files were not imported; nothing of them was written.")


def summary(imported: Imported, outcome: ImportOutcome, *, dry_run: bool) -> str:
    total = outcome.histograms + outcome.unchanged
    elements = {block.element for blocks in imported.blocks.values() for block in blocks}
    of_elements = f"{counted(len(elements), 'element')} ({len(outcome.new_elements):,} new)"
    what = f"{total:,} histograms ({outcome.histograms:,} new or changed) of {of_elements}"
    parts = [f"{what} in {counted(len(imported.blocks), 'run')}"]
    if outcome.created_runs:
        parts.append(f"{counted(outcome.created_runs, 'run')} made or lengthened")
    end = "" if outcome.histograms else "; nothing changed"
    taken_back = " (dry run, taken back)" if dry_run and outcome.histograms else ""
    return f"{imported.format}: {', '.join(parts)}{end}{taken_back}."


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
