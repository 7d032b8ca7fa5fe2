"""`manage.py load_demo`: a small world to look at, in an empty database."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from certifier.audit.errors import CertifierError
from certifier.demo import finish, load, people, reviewed, trained
from certifier.goodruns.summaries import refresh_summaries
from certifier.notices import services as notices
from certifier.trends import services as trends


class Command(BaseCommand):
    help = (
        "Load the demo (30 runs with defects, sign-offs, tags and lists, and the months before them), all or nothing; "
        "again, and nothing changes."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        there = load.is_there()
        if not there:
            try:
                load.load(self.say)
            except CertifierError as error:
                raise CommandError(error.message) from error
            self.say("background jobs and summaries")
        # After the transaction, and also when an earlier call was stopped between the two.
        finish.run_jobs()
        if not there:
            self.say("verdicts, decisions and notices")
        trained.score_runs()
        reviewed.review_findings()
        if not there:
            reviewed.look_at_guarantees()
            trends.look()
            notices.find()
        refresh_summaries()
        finish.write_accounts()
        if there:
            self.stdout.write("The demo is loaded already; nothing was changed.")
        else:
            self.stdout.write(f"The demo is loaded, in {time.monotonic() - started:.0f} s.")
        rows = finish.summary()
        width = max(len(what) for what, _ in rows)
        for what, much in rows:
            self.stdout.write(f"  {what:<{width}}  {much}")
        self.stdout.write(f"Everybody's password is “{people.PASSWORD}”: try ada, ben, chi, dee or ova.")

    def say(self, what: str) -> None:
        self.stderr.write(f"loading {what} …")
