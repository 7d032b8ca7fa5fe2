"""`manage.py refresh_summaries`: what the worker does every half minute, at once."""

from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from certifier.goodruns.summaries import refresh_summaries


class Command(BaseCommand):
    help = (
        "Bring the derived numbers of home, the runs list and the good-run lists up to date. They can always be "
        "computed again; --all computes every one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="every run and list, changed or not")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()

        def progress(done: int, total: int) -> None:
            if time.monotonic() - began > 1:
                sys.stderr.write(f"{done:,} of {total:,} runs\n")

        done = refresh_summaries(progress, everything=options["all"])
        self.stdout.write(f"{done.runs:,} runs and {done.lists:,} lists brought up to date.")
