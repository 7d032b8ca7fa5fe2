"""Beside its verdicts a champion shows what it expected: a worker works it out, and the element's page draws it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.lumi import LumiSet
from certifier.monitoring.selectors import find_element
from certifier.ops import jobs
from certifier.ops.models import Job, JobState
from certifier.precert import looks, services
from certifier.precert.looking import LEVELS
from certifier.runs.models import Dataset
from mlcore.simulate import met, slow_control
from tests.precert.champions import champion, few_rates
from tests.training import other_systems
from tests.training.other_systems import Taken

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
RATE = "Trigger/HLT_mu26_iso"


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs wait until a test does them."""
    monkeypatch.setattr(jobs.perform, "apply_async", lambda *args, **kwargs: None)


def do(job: Job) -> dict[str, Any]:
    jobs.perform(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.DONE, job.error
    assert isinstance(job.result, dict)
    return job.result


def address(dataset: Dataset, element: str) -> str:
    return f"/histograms/champion/{dataset.run.number}/{element}/"


def shown(client: Client, dataset: Dataset, element: str) -> str:
    return client.get(f"/histograms/runs/{dataset.run.number}/{element}/").content.decode()


def test_a_rate_is_drawn_in_the_band_of_its_forecast(lar: System, ben: User, page: Page) -> None:
    taken = other_systems.lower(other_systems.rates(), RATE, last=1, lumisections="20-26")
    _, dataset = champion(lar, taken, {"name": "rates", "quantities": True})
    client = page(ben)
    before = shown(client, dataset, RATE)
    assert "Forecast of the champion" in before
    assert "Work it out" in before
    assert client.post(address(dataset, RATE)).status_code == 302
    client.post(address(dataset, RATE))
    job = Job.objects.get(kind=looks.LOOK)
    assert (job.requested_by, job.queue) == (ben, "score")
    assert 'hx-trigger="every 2s"' in client.get(address(dataset, RATE)).content.decode()
    result = do(job)
    quantiles, value = np.array(result["quantiles"]), np.array(result["value"])
    assert result["levels"] == list(LEVELS)
    assert quantiles.shape == (len(LEVELS), len(value)) == (5, 40)
    assert (np.diff(quantiles, axis=0) > 0).all()
    good = ~np.isin(result["lumisection"], range(20, 27))
    inside = (value[good] >= quantiles[0, good]) & (value[good] <= quantiles[-1, good])
    assert inside.mean() > 0.7
    assert len(LumiSet.parse("20-26") & LumiSet.parse(result["outside"])) >= 5
    after = shown(client, dataset, RATE)
    assert "champion-plot" in after
    assert "5% to 95%" in after
    assert "Outside 5 to 95%" in after


def test_other_histograms_ask_for_another_forecast(lar: System, ben: User) -> None:
    version, dataset = champion(lar, few_rates(), {"name": "rates", "quantities": True})
    element = find_element(RATE)
    before = looks.key_of(version, dataset, element, "")
    assert before == looks.key_of(version, dataset, element, "")
    taken = other_systems.lower(few_rates(), RATE, last=1, lumisections="5")
    other_systems.send(taken, dataset.run.number)
    assert looks.key_of(version, dataset, element, "") != before


def test_readings_are_drawn_one_by_one(lar: System, ben: User, page: Page) -> None:
    drawn = slow_control.slow_control(3, runs=10, length=18, faulty=True)
    _, dataset = champion(lar, Taken([drawn.block], drawn.labels), {"name": "pulses", "axes": 1, "unit": "s"})
    client, path = page(ben), drawn.block.element
    client.post(f"{address(dataset, path)}?ls=8-9")
    result = do(Job.objects.get(kind=looks.LOOK))
    assert result["shown"] == [8, 9]
    assert len(result["time"]) == len(result["value"]) == 2 * slow_control.SECONDS
    assert len(result["share"]) == 18
    page_ = client.get(f"/histograms/runs/{dataset.run.number}/{path}/?ls=8-9").content.decode()
    assert "Forecast of the readings" in page_
    assert "champion-along" in page_
    assert "Work it out" in shown(client, dataset, path)  # of the whole run nobody has asked


def test_the_error_of_an_autoencoder_is_drawn_with_its_spikes(lar: System, ben: User, page: Page) -> None:
    drawn = met.met_runs(3, law=met.MetLaw(runs=24, length=20))
    detector = {"name": "elements_autoencoder", "axes": 1, "together": True, "parameters": {"epochs": 8}}
    version, dataset = champion(lar, Taken(drawn.blocks, drawn.labels), detector)
    client, path = page(ben), "JetMET/METSig"
    client.post(address(dataset, path))
    result = do(Job.objects.get(kind=looks.LOOK))
    assert [each["element"] for each in result["elements"]] == ["JetMET/METSig", "JetMET/SumET"]
    assert result["lumisection"] == list(range(1, 21))
    assert "What the autoencoder does not rebuild" in shown(client, dataset, path)
    model = f"/models/{version.pk}/"
    assert "Read the training curves from the model" in client.get(model).content.decode()
    client.post(f"{model}curves/")
    (curve,) = do(Job.objects.get(kind=looks.CURVES))["curves"]
    assert len(curve["loss"]) == 8
    assert curve["loss"][-1] < curve["loss"][0]
    assert "curves-plot" in client.get(model).content.decode()


def test_a_classifier_of_maps_shows_what_it_learned_from_and_what_was_watched(
    lar: System, ben: User, dee: User, page: Page
) -> None:
    taken = other_systems.maps(run_count=14, length=12)
    version, dataset = champion(lar, taken, {"name": "occupancy_cnn", "axes": 2, "parameters": {"epochs": 4}})
    (curve,) = do(services.ask_for_curves(actor=ben, version=version))["curves"]
    assert len(curve["watched_accuracy"]) == len(curve["loss"]) == 4
    assert curve["watched_accuracy"][-1] > 0.5
    assert page(dee).post(f"/models/{version.pk}/curves/").status_code == 403
    # Of its maps it has no forecast.
    assert 'id="champion"' not in shown(page(ben), dataset, taken.blocks[0].element)


def test_who_may_not_read_may_not_ask(lar: System, ben: User, dee: User, page: Page) -> None:
    version, dataset = champion(lar, few_rates(), {"name": "rates", "quantities": True})
    element = find_element(RATE)
    assert page(dee).get(address(dataset, RATE)).status_code == 403
    assert page(dee).post(address(dataset, RATE)).status_code == 403
    for ask in (
        lambda: services.ask_to_look(
            actor=dee, version=version, dataset=dataset, element=element, lumisections=LumiSet()
        ),
        lambda: services.ask_for_curves(actor=dee, version=version),
    ):
        with pytest.raises(NotAllowed):
            ask()
    assert not Job.objects.exists()
    client = page(ben)
    assert client.get(address(dataset, "Trigger/L1_EM3/prescale")).status_code == 404
    assert client.post(f"/models/{version.pk}/curves/").status_code == 404


def test_a_job_that_failed_says_so_and_can_be_asked_for_again(lar: System, ben: User, page: Page) -> None:
    _, dataset = champion(lar, few_rates(), {"name": "rates", "quantities": True})
    client = page(ben)
    client.post(address(dataset, RATE))
    Job.objects.update(state=JobState.FAILED)
    text = shown(client, dataset, RATE)
    assert "It came to no end" in text
    assert "Work it out" in text
