"""REST of this room: scores of a run, models, promotion; as the contract says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import System, User
from certifier.lumi import LumiSet
from certifier.precert import services
from certifier.precert.models import Promotion
from certifier.runs import services as runs
from tests.precert import world
from tests.precert.world import RUN

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
SCORES = f"/api/v1/runs/{RUN}/scores/"
FIELDS = {"system", "model", "mode", "good", "bad", "unsure", "unscored", "scores"}


def test_the_scores_of_a_run_are_a_partition_of_it(api: Api, ben: User, lar: System) -> None:
    version = world.champion(lar)
    scoring = world.score(version, world.take(system=lar, noise="5-9"))
    runs.put_run(actor=None, run=RUN, facts={"lumisections": 45})
    (answer,) = api(ben).get(f"{SCORES}?system=lar").json()["systems"]
    assert set(answer) == FIELDS
    assert (answer["system"], answer["model"], answer["mode"]) == ("LAR", version.pk, "assist")
    sets = [LumiSet.parse(answer[name]) for name in ("good", "bad", "unsure", "unscored")]
    assert sum(map(len, sets)) == 45
    assert sets[0] | sets[1] | sets[2] | sets[3] == LumiSet.whole(45)
    assert (sets[1], sets[3]) == (scoring.bad, LumiSet.parse("41-45"))
    assert len(answer["scores"]) == 45
    assert answer["scores"][40:] == [None] * 5
    assert all(0 <= score <= 1 for score in answer["scores"][:40])


def test_a_system_that_nobody_scored_is_not_scored(api: Api, ben: User, systems: dict[str, System]) -> None:
    world.take(system=systems["LAR"], lumisections=3)
    answers = api(ben).get(SCORES).json()["systems"]
    assert [answer["system"] for answer in answers] == [system.code for system in System.objects.all()]
    for answer in answers:
        assert (answer["model"], answer["good"], answer["unscored"], answer["scores"]) == (None, "", "1-3", [None] * 3)


def test_what_does_not_exist_is_said_so(api: Api, ben: User, lar: System) -> None:
    client = api(ben)
    assert client.get("/api/v1/runs/999999/scores/").status_code == 404
    world.take(system=lar, lumisections=3)
    refused = client.get(f"{SCORES}?system=LAX")
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "system")
    for address in ("/api/v1/models/17/", "/api/v1/models/99999999999999999999/"):
        assert client.get(address).status_code == 404


def test_a_model_tells_its_figures_guarantee_fingerprint_and_lineage(api: Api, ben: User, lar: System) -> None:
    first, second = world.champion(lar), world.register(lar, another=1)
    client = api(ben)
    listed = client.get("/api/v1/models/").json()["results"]
    assert [(model["id"], model["state"]) for model in listed] == [(second.pk, "candidate"), (first.pk, "champion")]
    model = client.get(f"/api/v1/models/{first.pk}/").json()
    assert model == listed[1]
    assert model["metrics"]["auc"] > 0.9
    assert model["lineage"]["guarantee"]["runs"] == 16
    assert (model["system"], model["number"], model["fingerprint"]) == ("LAR", 1, first.fingerprint)
    assert model["certifies"] is True
    assert model["guarantee"]["parts"][0]["pollution"]["limit"] == 0.06
    assert model["guarantee_in_words"].startswith("Promises pollution below 6%")


def test_a_coordinator_promotes(api: Api, chi: User, lar: System) -> None:
    world.champion(lar)
    version = world.register(lar, another=1)
    answer = api(chi).post(f"/api/v1/models/{version.pk}/promote/", {"reason": "Better on all weeks."}, format="json")
    assert (answer.status_code, answer.json()["state"]) == (200, "champion")
    act = Promotion.objects.latest("id")
    assert (act.champion, act.by, act.reason) == (version, chi, "Better on all weeks.")
    again = api(chi).post(f"/api/v1/models/{version.pk}/promote/", {}, format="json")
    assert (again.status_code, again.json()) == (409, {"detail": "LAR model 2 is champion already."})


@pytest.mark.parametrize("body", [{"reason": 3}, {"because": "x"}, {"reason": "x" * 2001}, {"reason": None}])
def test_a_body_that_makes_no_sense_promotes_nothing(api: Api, chi: User, lar: System, body: object) -> None:
    version = world.register(lar)
    assert api(chi).post(f"/api/v1/models/{version.pk}/promote/", body, format="json").status_code == 400
    assert not Promotion.objects.exists()


@pytest.mark.parametrize(("name", "status"), [("ada", 403), ("ben", 403), ("dee", 403), (None, 401)])
def test_nobody_else_promotes(
    api: Api, lar: System, request: pytest.FixtureRequest, name: str | None, status: int
) -> None:
    version = world.register(lar)
    client = api(request.getfixturevalue(name) if name else None)
    assert client.post(f"/api/v1/models/{version.pk}/promote/", {}, format="json").status_code == status
    assert not Promotion.objects.exists()
    if name in {"dee", None}:
        assert client.get("/api/v1/models/").status_code == status
        assert client.get(f"/api/v1/models/{version.pk}/").status_code == status
        assert client.get(SCORES).status_code == status


def test_the_mode_is_told(api: Api, ben: User, chi: User, lar: System) -> None:
    world.champion(lar)
    world.take(system=lar, lumisections=3)
    services.set_mode(actor=chi, system=lar, mode="auto", reason="The audit found nothing.")
    (answer,) = api(ben).get(f"{SCORES}?system=LAR").json()["systems"]
    assert answer["mode"] == "auto"
