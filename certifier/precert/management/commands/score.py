"""`manage.py score [--run N] [--system S]`: what the workers do, at once and here."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from certifier.accounts.models import System
from certifier.accounts.selectors import system_named
from certifier.audit.errors import CertifierError
from certifier.precert.models import Scoring
from certifier.precert.selectors import models_of
from certifier.precert.unscored import Unscored, asked_versions, unscored
from certifier.runs.models import Run
from certifier.runs.selectors import find_run


class Command(BaseCommand):
    help = (
        "Score every dataset whose histograms the champion of a system, or a model in shadow, has not seen as they are "
        "now. What is scored already stays; again, and nothing changes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--run", type=int, metavar="N", help="this run only")
        parser.add_argument("--system", metavar="S", help="this system only")

    def handle(self, *args: Any, run: int | None, system: str | None, **options: Any) -> None:
        try:
            row = find_run(run) if run is not None else None
            systems = [system_named(system)] if system is not None else None
        except CertifierError as error:
            raise CommandError(str(error)) from None
        if not asked_versions(models_of(systems)):
            of = f" of {systems[0].code}" if systems else ""
            raise CommandError(f"No model{of} is to be asked. Register one, and let a coordinator promote it.")
        failed = self._score(systems, row)
        if failed:
            raise CommandError(f"{failed} not scored; what they would have scored stays not scored.")

    def _score(self, systems: list[System] | None, run: Run | None) -> int:
        from certifier.precert.scoring import Scorer

        waiting = sorted(unscored(systems, run), key=lambda each: each.version.pk)
        scorer, failed = Scorer(), 0
        for number, each in enumerate(waiting, start=1):
            self._show(number, len(waiting), each)
            try:
                self.stdout.write(f"{each}: {_words(scorer.score(each.version, each.dataset))}")
            except CertifierError as error:
                failed += 1
                self.stderr.write(f"{each}: {error}")
        if not waiting:
            self.stdout.write("Everything is scored.")
        return failed

    def _show(self, number: int, total: int, each: Unscored) -> None:
        if sys.stderr.isatty():
            done = "█" * round(20 * (number - 1) / total)
            sys.stderr.write(f"\r\x1b[K{done:·<20} {number} of {total}: {each} … \r")
            sys.stderr.flush()


def _words(scoring: Scoring) -> str:
    sets = (("good", scoring.good), ("bad", scoring.bad), ("unsure", scoring.unsure), ("not scored", scoring.unscored))
    counts = ", ".join(f"{len(lumisections):,} {word}" for word, lumisections in sets)
    return f"{counts}, in {scoring.took_s:.1f} s."
