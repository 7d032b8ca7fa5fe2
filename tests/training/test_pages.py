"""What people see of trainings, and what coordinators do about them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.ops.models import Job
from certifier.training import services
from certifier.training.chart import compared, compared_plot
from certifier.training.models import Training
from certifier.training.selectors import pause_of
from tests.training import world

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]


def test_nobody_has_trained_yet(page: Page, lar: System, ben: User) -> None:
    found = page(ben).get("/training/").content.decode()
    assert "Nothing to learn from yet." in found
    assert "It was never trained." in page(ben).get("/training/LAR/").content.decode()
    found = page(ben).get("/training/LAR/now/").content.decode()
    assert "no run of LAR has histograms and a label" in found


def test_it_says_what_would_be_learned_from_now(page: Page, lar: System, ben: User) -> None:
    world.season(lar, 8)
    client = page(ben)
    assert 'hx-get="/training/LAR/now/" hx-trigger="load"' in client.get("/training/LAR/").content.decode()
    found = client.get("/training/LAR/now/").content.decode()
    part = client.get("/training/LAR/now/", headers={"HX-Request": "true"}).content.decode()
    assert part.lstrip().startswith('<section class="card" id="now"')
    assert part.strip() in found
    assert f"Runs {world.FIRST} to {world.FIRST + 7}, 192 lumisections" in found
    assert "of which 152 are labelled good and 40 bad" in found
    assert "152 good, 40 bad" in found
    assert "week of " in found


def test_what_came_of_it_stands_with_its_words_figure_and_table(page: Page, lar: System, ben: User) -> None:
    world.season(lar)
    first = world.train(lar)
    world.train(lar)
    client = page(ben)
    found = client.get("/training/LAR/").content.decode()
    assert "the first model of LAR" in found
    assert "nothing new to learn" in client.get("/training/LAR/now/").content.decode()
    assert 'data-plot="compared-plot"' in found
    area = first.gate["challenger"]["auc"]
    assert f"{area['value']:.4f}" in found
    assert first.challenger is not None
    assert f'href="/models/{first.challenger.pk}/"' in found
    # And back again.
    assert "/training/LAR/#training-1" in client.get(f"/models/{first.challenger.pk}/").content.decode()
    assert "/training/LAR/" in client.get("/models/").content.decode()
    assert "nothing new to learn" in client.get("/training/").content.decode()


def test_the_figure_shows_both_with_their_intervals() -> None:
    def figure(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.01, "high": value + 0.02}

    both = {name: figure(0.9) for name in ("auc", "average_precision", "grey_zone")}
    rows = [
        Training(number=1, outcome="promoted", gate={"challenger": both}),
        Training(number=2, outcome="rejected", gate={"challenger": both, "champion": both, "difference": both}),
        Training(number=3, outcome="shadow", gate={"challenger": {"auc": {"value": None}}}),
    ]
    found = compared(rows)
    assert [each.training.number for each in found] == [1, 2]
    assert found[1].work_text == "+90.0%"
    plot: Any = compared_plot(found)
    champion, challenger = plot["data"]
    assert (champion["y"], challenger["y"]) == ([0.9], [0.9, 0.9])
    assert challenger["marker"]["color"] == ["var(--good)", "var(--bad)"]
    assert challenger["error_y"]["array"][0] == pytest.approx(0.02)
    assert compared_plot([]) is None


def test_a_coordinator_starts_pauses_and_resumes(page: Page, lar: System, chi: User) -> None:
    client = page(chi)
    answer = client.post("/training/LAR/train/", follow=True).content.decode()
    job = Job.objects.get()
    assert f"LAR is trained as soon as a worker has time: job {job.pk}." in answer
    assert f"job {job.pk}, queued" in answer
    client.post("/training/LAR/pause/", {"reason": "Repairs."})
    assert pause_of(lar) is not None
    found = client.get("/training/LAR/").content.decode()
    assert "Repairs." in found
    assert "Resume" in found
    assert "paused already" in client.post("/training/LAR/pause/", {"reason": "x"}, follow=True).content.decode()
    client.post("/training/LAR/resume/", {"reason": "Repaired."})
    assert pause_of(lar) is None
    assert "a reason is required" in client.post("/training/LAR/pause/", follow=True).content.decode()


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
def test_the_acts_are_for_coordinators(page: Page, lar: System, name: str, request: pytest.FixtureRequest) -> None:
    client = page(request.getfixturevalue(name))
    for act in ("train", "pause", "resume"):
        answer = client.post(f"/training/LAR/{act}/", {"reason": "x"})
        assert answer.status_code == 403, act
    assert not Job.objects.exists()
    assert pause_of(lar) is None


def test_an_outsider_reads_nothing_and_others_see_no_buttons(page: Page, lar: System, ben: User, dee: User) -> None:
    for address in ("/training/", "/training/LAR/", "/training/LAR/now/"):
        assert page(dee).get(address).status_code == 403
        found = page(ben).get(address)
        assert found.status_code == 200
        assert "Train now" not in found.content.decode()
    assert page(ben).get("/training/LAX/").status_code == 404
    assert page(ben).get("/training/LAR/train/").status_code == 405


def test_a_recipe_that_cannot_be_read_is_told(page: Page, lar: System, ben: User, settings: Any) -> None:
    settings.TRAINING_RECIPE = {"LAR": {"fewest_runs": "many"}}
    found = page(ben).get("/training/LAR/now/").content.decode()
    assert "TRAINING_RECIPE of LAR: fewest_runs is a number from 0, not &#x27;many&#x27;." in found


def test_its_list_needs_few_queries(page: Page, lar: System, ben: User, django_assert_max_num_queries: Any) -> None:
    world.season(lar, 3)
    for _ in range(5):
        world.train(lar)
    services.pause(actor=None, system=lar, reason="x")
    client = page(ben)
    with django_assert_max_num_queries(12):
        client.get("/training/")
    with django_assert_max_num_queries(12):
        client.get("/training/LAR/")
