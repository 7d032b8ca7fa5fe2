"""The pages of models: what a reader finds there, and what a coordinator can do and others cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.precert import services
from certifier.precert.models import Promotion, SystemMode
from certifier.precert.selectors import models_of_system
from tests.precert import world
from tests.precert.world import RUN
from tests.web.experiment import part, words

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]


@pytest.fixture
def coordinator(page: Page, chi: User) -> Client:
    return page(chi)


def test_without_models_it_says_so(page: Page, ben: User, lar: System) -> None:
    said = words(page(ben).get("/models/").content.decode())
    assert "There is no model yet." in said
    assert "not scored, which is never good" in said


def test_it_shows_champion_mode_and_guarantee_of_each_system(page: Page, ben: User, chi: User, lar: System) -> None:
    world.score(world.champion(lar), world.take(system=lar))
    world.register(lar, another=1)
    services.set_mode(actor=chi, system=lar, mode="auto", reason="The audit found nothing.")
    html = page(ben).get("/models/").content.decode()
    card = words(part(html, "system-LAR"))
    assert "auto since" in card
    assert "by chi: The audit found nothing." in card
    assert "good counts as checked" in card
    assert "Promises pollution below 6% at 90% confidence and loss below 4% at 90% confidence." in card
    assert "model 1 ● champion" in card
    assert "model 2 ○ candidate" in card
    assert f"1 {RUN}–{RUN}" in card
    assert "no model" in words(html)


def test_it_says_when_auto_counts_for_nothing(page: Page, ben: User, chi: User, lar: System) -> None:
    world.champion(lar)
    services.set_mode(actor=chi, system=lar, mode="auto", reason="x")
    services.promote(actor=chi, version=world.register(lar, folder=world.timid_folder()))
    card = words(part(page(ben).get("/models/").content.decode(), "system-LAR"))
    assert "auto, but nothing is promised: nothing counts" in card
    assert "No lumisection is called good automatically" in card


def test_a_model_has_a_page_with_all_that_is_known(page: Page, ben: User, lar: System) -> None:
    version = world.champion(lar)
    scoring = world.score(version, world.take(system=lar, noise="5-9", only="1-30"))
    html = page(ben).get(f"/models/{version.pk}/").content.decode()
    said = words(html)
    assert "LAR model 1" in said
    assert f"● good {len(scoring.good)}" in said
    assert "◇ not scored 10" in said
    assert f'href="/runs/{RUN}/?system=LAR"' in html
    assert "area under the ROC curve" in said
    assert "guarantee runs 1024–1039: 480 LS, 96 bad" in said
    assert version.digest in said
    assert version.fingerprint in said
    assert "became champion: The first that can be asked." in said
    assert "P(bad) below" in said
    assert "Runs are independent of each other" in said


@pytest.mark.parametrize("address", ["/models/17/", "/models/99999999999999999999/"])
def test_what_is_not_there_is_404(page: Page, ben: User, address: str) -> None:
    assert page(ben).get(address).status_code == 404


def test_a_coordinator_promotes_pauses_and_rolls_back(page: Page, chi: User, lar: System) -> None:
    first, second = world.champion(lar), world.register(lar, another=1)
    client = page(chi)
    assert 'value="1"' in client.get(f"/models/{second.pk}/").content.decode()
    answer = client.post(f"/models/{second.pk}/promote/", {"reason": "Better.", "seen": "1"}, follow=True)
    assert "LAR model 2 is the champion now." in words(answer.content.decode())
    answer = client.post("/models/systems/LAR/roll-back/", {"reason": "It is not.", "seen": "2"}, follow=True)
    assert "LAR model 1 is the champion again." in words(answer.content.decode())
    assert models_of_system(lar).champion == first
    answer = client.post("/models/systems/LAR/pause/", {"reason": "Repairs.", "seen": "3"}, follow=True)
    assert "LAR model 1 is paused." in words(answer.content.decode())
    client.post(f"/models/{second.pk}/shadow/", {"reason": "Let us see.", "seen": "4"})
    client.post(f"/models/{first.pk}/retire/", {"reason": "Old.", "seen": "5"})
    states = [act.state for act in Promotion.objects.order_by("id")]
    assert states == ["champion", "champion", "champion", "paused", "shadow", "retired"]


def test_a_coordinator_switches_the_mode(page: Page, chi: User, lar: System) -> None:
    client = page(chi)
    assert "auto (not now)" in words(with_model(client, lar))
    world.champion(lar)
    assert "auto (not now)" not in words(client.get("/models/").content.decode())
    answer = client.post("/models/systems/LAR/mode/", {"mode": "auto", "reason": "The audit."}, follow=True)
    assert "LAR is in mode auto now." in words(answer.content.decode())
    assert SystemMode.objects.get().reason == "The audit."


def with_model(client: Client, lar: System) -> str:
    world.register(lar, folder=world.timid_folder())
    return client.get("/models/").content.decode()


@pytest.mark.parametrize(
    ("verb", "data", "told"),
    [
        ("promote", {"reason": "x", "seen": "0"}, "Meanwhile system acted"),
        ("promote", {"reason": "x" * 2001}, "A reason has at most 2000 characters"),
        ("retire", {"reason": "\0 "}, "a reason is required"),
        ("retire", {}, "a reason is required"),
    ],
)
def test_what_cannot_be_is_said_on_the_page(
    coordinator: Client, lar: System, verb: str, data: dict[str, str], told: str
) -> None:
    world.champion(lar)
    version = world.register(lar, another=1)
    answer = coordinator.post(f"/models/{version.pk}/{verb}/", data, follow=True)
    assert told in words(answer.content.decode())
    assert Promotion.objects.count() == 1


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
def test_others_see_no_buttons_and_are_refused(
    page: Page, lar: System, request: pytest.FixtureRequest, name: str
) -> None:
    version = world.champion(lar)
    client = page(request.getfixturevalue(name))
    for address in ("/models/", f"/models/{version.pk}/"):
        answer = client.get(address)
        assert answer.status_code == (403 if name == "dee" else 200)
        assert "Retire" not in words(answer.content.decode())
        assert "Switch" not in words(answer.content.decode())
    posts = [f"{version.pk}/promote", f"{version.pk}/shadow", f"{version.pk}/retire"]
    posts += [f"systems/LAR/{verb}" for verb in ("mode", "pause", "roll-back")]
    for verb in posts:
        assert client.post(f"/models/{verb}/", {"reason": "x", "mode": "stopped"}).status_code == 403
    assert (Promotion.objects.count(), SystemMode.objects.count()) == (1, 0)


def test_nobody_is_sent_to_sign_in_first(page: Page) -> None:
    answer = page(None).get("/models/")
    assert (answer.status_code, answer["Location"]) == (302, "/account/sign-in/?next=/models/")
