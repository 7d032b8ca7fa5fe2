"""Several clients send histograms of one run at once: nothing is lost, nothing is stored twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from django.db import connection

from certifier.monitoring import selectors
from certifier.monitoring.errors import HistogramsRefused
from certifier.monitoring.models import Element, Part
from certifier.monitoring.services import Ingested
from certifier.runs.models import Change, Run
from mlcore.histograms import HistogramBlock
from tests.monitoring.blocks import BEFORE, ETA, RUN, histograms, ingest, take

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*works: Callable[[], Ingested]) -> list[Ingested | Exception]:
    def done(work: Callable[[], Ingested]) -> Ingested | Exception:
        try:
            return work()
        except HistogramsRefused as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(done, works))


def stored(element: str = "EcalBarrel/time") -> HistogramBlock:
    run = Run.objects.get(number=RUN)
    (coverage,) = selectors.coverage_of_run(run, paths=[element]).values()
    return selectors.histograms(run, coverage)[element]


def test_the_same_sent_by_four_is_stored_once() -> None:
    take()
    answers = at_once(*[lambda: ingest(histograms(), histograms("HcalBarrel/time"))] * 4)
    written = [answer.histograms for answer in answers if isinstance(answer, Ingested)]
    assert sorted(written) == [0, 0, 0, 40]
    assert (Part.objects.count(), Element.objects.count()) == (2, 2)
    assert Change.objects.filter(kind="monitoring.histograms").count() == 1


def test_pieces_sent_by_four_are_all_there() -> None:
    take()
    whole = histograms()
    at_once(*[lambda start=start: ingest(whole.select(slice(start, start + 5))) for start in range(0, 20, 5)])
    np.testing.assert_array_equal(stored().counts, whole.counts)


def test_an_element_that_two_runs_bring_at_once_has_the_axes_of_one_of_them() -> None:
    take()
    take(BEFORE)
    answers = at_once(
        lambda: ingest(histograms("New/one")),
        lambda: ingest(histograms("New/one", run=BEFORE, axes=(ETA,)), run=BEFORE),
    )
    assert sorted(type(answer) is Ingested for answer in answers) == [False, True]
    assert Element.objects.count() == Part.objects.count() == 1
