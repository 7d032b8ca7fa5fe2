"""Two people who sign the same stage in the same moment: one signature, one clear refusal."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from certifier.accounts.models import System, User
from certifier.review import services
from certifier.review.models import SignOff
from certifier.review.rules import NotSignable
from certifier.runs.models import Run
from tests import cast


@pytest.mark.django_db(transaction=True)
def test_it_takes_one_signature(make_run: Callable[..., Run]) -> None:
    lar = cast.make_system("LAR")
    people = [cast.make_expert(name, lar) for name in ("ada", "eve", "fay", "gil")]
    run = make_run()
    together = Barrier(len(people))

    def sign(person: User, system: System = lar) -> str:
        try:
            together.wait()
            services.sign_off(actor=person, run=run, system=system, stage="express")
        except NotSignable as error:
            return str(error)
        finally:
            connection.close()
        return "signed"

    with ThreadPoolExecutor(len(people)) as pool:
        outcomes = sorted(pool.map(sign, people))
    assert outcomes.count("signed") == 1
    assert SignOff.objects.count() == 1
    assert all("signed already" in outcome for outcome in outcomes if outcome != "signed")
