"""`manage.py retrain [--system S]`: what the weekly training does, at once and here."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from certifier.accounts.models import System
from certifier.accounts.selectors import system_named
from certifier.audit.errors import CertifierError
from certifier.monitoring.models import Element
from certifier.ops.jobs import JobHandle
from certifier.ops.models import Job, Trigger
from certifier.training.errors import TrainingFailed
from certifier.training.models import Training
from certifier.training.own_process import RECORDED
from certifier.training.sample import Progress
from certifier.training.services import Asked


class Command(BaseCommand):
    help = (
        "Train every system that has histograms from what people have decided and signed, and let the gate compare the "
        "new model with the champion. Where nothing changed since the last training, nothing is made."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--system", metavar="S", help="this system only")
        # How a worker starts it, in a process of its own: docs/training.md.
        parser.add_argument("--job", type=int, help=argparse.SUPPRESS)

    def handle(self, *args: Any, system: str | None, job: int | None, **options: Any) -> None:
        try:
            chosen = [system_named(system)] if system is not None else _with_histograms()
        except CertifierError as error:
            raise CommandError(str(error)) from None
        if job is not None:
            self._for_worker(chosen[0], job)
            return
        failed = [each.code for each in chosen if not self._train(each)]
        if not chosen:
            self.stdout.write("No system has histograms yet: there is nothing to learn from.")
        if failed:
            raise CommandError(f"Not trained: {', '.join(failed)}. What was the champion still is.")

    def _train(self, system: System) -> bool:
        from certifier.training.attempt import attempt

        try:
            row = attempt(Asked(system, Trigger.COMMAND), self._progress(system.code))
        except TrainingFailed as error:
            self._clear()
            self.stderr.write(f"{system.code}: {error}")
            return False
        self._clear()
        self.stdout.write(_words(row))
        return True

    def _for_worker(self, system: System, number: int) -> None:
        from certifier.training.attempt import attempt

        # Its worker is gone: end as any command does that is stopped, rolled back and tidied up.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        job = Job.objects.select_related("requested_by").get(pk=number)
        try:
            attempt(Asked(system, Trigger(job.trigger), job), JobHandle(job).progress)
        except TrainingFailed as error:
            self.stderr.write(str(error))
            sys.exit(RECORDED)

    def _progress(self, code: str) -> Progress:
        def show(share: float, words: str) -> None:
            if sys.stderr.isatty():
                done = "█" * round(20 * share)
                sys.stderr.write(f"\r\x1b[K{code} {done:·<20} {words} … \r")
                sys.stderr.flush()

        return show

    def _clear(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _with_histograms() -> list[System]:
    return list(System.objects.filter(pk__in=Element.objects.filter(system__isnull=False).values("system")))


def _words(row: Training) -> str:
    made = f", {row.challenger}" if row.challenger else ""
    return f"{row.system.code}: {row.get_outcome_display()}{made}, in {row.took_s:.1f} s. {row.words}"
