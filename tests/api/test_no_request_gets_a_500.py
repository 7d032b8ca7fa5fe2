"""Schemathesis over the whole schema: what the program says of itself is true, and no request is a fault of ours.

In process, with everything in the database that an address may name; half of the requests name it, so that they come
further than "not found". One pass as a coordinator, one as somebody without a role, one as nobody.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.core import signals
from django.db import close_old_connections
from django.utils import timezone
from hypothesis import HealthCheck, Phase, settings
from rest_framework.test import APIClient
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from certifier.accounts import services
from certifier.accounts.models import System, User
from certifier.monitoring.models import Part
from certifier.ops.models import Job
from certifier.precert.models import ModelVersion, Scoring
from certifier.review.models import Decision, Item
from certifier.runs.models import Run
from certifier.training.models import Training
from certifier.wsgi import application

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.once]
V1 = "/api/v1"
SCHEMA = f"{V1}/schema/?format=json"
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
BOUNDED: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],
}
# What checks the answers reads them as they are sent, and would take compressed ones for broken text.
AS_IT_IS = {"Accept-Encoding": "identity"}
count = itertools.count()


@pytest.fixture
def world(chi: User, systems: Any, api: Callable[[User], APIClient]) -> dict[str, Any]:
    """One of everything, made over REST; by the name that parameters and fields have in the schema."""
    client = api(chi)

    def post(address: str, body: dict[str, Any]) -> Any:
        answer = client.post(f"{V1}/{address}", body, format="json")
        assert answer.status_code in {200, 201}, answer.content
        return answer.json()

    times = {"started_at": "2018-08-10T20:00:00Z", "ended_at": "2018-08-10T22:00:00Z"}
    post("runs/bulk/", {"runs": [{"run": run, "lumisections": 20, **times} for run in (358031, 358096)]})
    post("defects/", {"name": "LAR_HV", "system": "LAR", "intolerable": True})
    post("defects/", {"name": "PHYS_GOOD", "system": "GLOBAL", "expression": "LAR_HV"})
    post("defect-entries/", {"entries": [{"run": 358031, "defect": "LAR_HV", "lumisections": "3-5"}]})
    post("tags/", {"name": "first", "description": ""})
    post("sign-offs/", {"run": 358031, "system": "LAR", "stage": "express", "action": "sign"})
    axes = [{"name": "time", "edges": [0.0, 1.0, 2.0]}]
    sent = {"element": "LAr/time", "axes": axes, "lumisections": "1-2", "counts": [[1, 2], [3, 4]]}
    post("runs/358031/histograms/?dataset=express", {"histograms": [sent]})
    lists = [
        post("good-run-lists/", {"name": name, "tag": "first", "require": ["PHYS_GOOD"], "signed_off": False})["id"]
        for name in ("one", "two")
    ]
    return {
        "run": 358031,
        "runs": "358031-358096",
        "defect": "LAR_HV",
        "system": "LAR",
        "tag": "first",
        "from_tag": "first",
        "a": "first",
        "b": "HEAD",
        "lumisections": "1-4 9",
        "element": "LAr/time",
        "path": "LAr/time",
        "dataset": "express",
        "require": ["PHYS_GOOD"],
        "ignore": ["LAR_HV"],
        "lists": lists,
        "id": lists[0],
        "other": lists[1],
        "model": model_of("LAR"),
        "training": training_of("LAR"),
        **review_of("LAR", 358031),
        "job": Job.objects.create(kind="tests.none", key="tests.none", arguments={"run": 358031}).pk,
    }


def training_of(code: str) -> int:
    """A training that found nothing new; a real one would take its time."""
    about = {"system": System.objects.get(code=code), "number": 1, "trigger": "command", "words": "Nothing new."}
    row = Training.objects.create(**about, outcome="unchanged", took_s=1.0, by_name="chi", at=timezone.now())
    return row.pk


def model_of(code: str) -> int:
    """A model version of a system. Not over REST: models come from the server's own training."""
    about = {"system": System.objects.get(code=code), "number": 1, "digest": "0" * 64, "kind": "k", "by_name": "chi"}
    manifest = {"format": "1.0", "libraries": {}, "files": {}}
    return ModelVersion.objects.create(**about, manifest=manifest, metrics={"auc": 0.99}, at=timezone.now()).pk


def review_of(code: str, number: int) -> dict[str, int]:
    """A review item that waits, and a decision about another one. Not over REST: items come from scorings."""
    system, now = System.objects.get(code=code), timezone.now()
    run = Run.objects.get(number=number)
    part = Part.objects.filter(dataset__run=run)[0]
    scoring = Scoring.objects.create(
        version=ModelVersion.objects.get(system=system), dataset=part.dataset, newest_part=part, last=20, good="6-20",
        bad="1-5", unsure="", unscored="", packed=b"", took_s=1.0, at=now,
    )  # fmt: skip
    about = {"scoring": scoring, "system": system, "run": run, "kind": "finding", "verdict": "bad", "weight": 1.0}
    times = {"since": now, "created_at": now, "is_blind": False}
    waits = Item.objects.create(**about, **times, place=21, lumisections="1-3")
    decided = Item.objects.create(**about, **times, place=22, lumisections="4-5", state="decided")
    done = Decision.objects.create(item=decided, number=1, answer="override", good="4-5", bad="", by_name="chi", at=now)
    return {"item": waits.pk, "decision": done.pk}


def made_real(value: Any, world: dict[str, Any]) -> Any:
    """The same value with existing names and numbers where fields bear a name of the world."""
    if isinstance(value, dict):
        return {
            name: world[name]
            if name in world and not isinstance(item, dict) and name != "runs"
            else made_real(item, world)
            for name, item in value.items()
        }
    return [made_real(item, world) for item in value] if isinstance(value, list) else value


def prepare(case: Any, world: dict[str, Any]) -> bool:
    """Make every second request name what exists; whether this one does."""
    number = next(count)
    if number % 2:
        real = {**world, "name": "LAR_HV"} if "/defects/" in case.path else world
        case.path_parameters = {name: real.get(name, value) for name, value in (case.path_parameters or {}).items()}
        case.body = made_real(case.body, world) if isinstance(case.body, dict) else case.body
    # One key for everything would make nearly all answers "this key was used for another request".
    if number % 8 and case.headers and "Idempotency-Key" in case.headers:
        del case.headers["Idempotency-Key"]
    return bool(number % 2)


def in_process(environ: Any, start_response: Any) -> Any:
    """The program, which leaves the connection open at the end of a request: the test's transaction lives in it.

    Django's own test client does the same, and undoes it after each request.
    """
    for signal in (signals.request_started, signals.request_finished):
        signal.disconnect(close_old_connections)
    return application(environ, start_response)


def loaded(**phases: bool) -> Any:
    chosen = {name: {"enabled": enabled} for name, enabled in phases.items()}
    # The character NUL in an address is refused before anybody is asked for, which a test of its own shows.
    config = schemathesis.Config.from_dict({"phases": chosen, "generation": {"allow-x00": phases["coverage"]}})
    return schemathesis.openapi.from_wsgi(SCHEMA, in_process, config=config)


@pytest.fixture
def _open_connections(db: None) -> Iterator[None]:
    yield
    for signal in (signals.request_started, signals.request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def rest(_open_connections: None) -> Any:
    return loaded(fuzzing=True, coverage=True, examples=True)


@pytest.fixture
def rest_briefly(_open_connections: None) -> Any:
    return loaded(fuzzing=True, coverage=False, examples=False)


@pytest.fixture
def chis_key(chi: User) -> str:
    return services.create_token(actor=None, user=chi)[1]


@pytest.fixture
def dees_key(dee: User) -> str:
    return services.create_token(actor=None, user=dee)[1]


whole = schemathesis.pytest.from_fixture("rest")
brief = schemathesis.pytest.from_fixture("rest_briefly")


@whole.parametrize()
@settings(max_examples=10, **BOUNDED)
def test_it_answers_a_coordinator_as_the_schema_says(case: Any, world: dict[str, Any], chis_key: str) -> None:
    prepare(case, world)
    response = case.call(headers=AS_IT_IS | {"Authorization": f"Token {chis_key}"})
    case.validate_response(response, checks=CHECKS)


@brief.parametrize()
@settings(max_examples=3, **BOUNDED)
def test_it_refuses_somebody_without_a_role_everywhere(case: Any, world: dict[str, Any], dees_key: str) -> None:
    exists = prepare(case, world)
    response = case.call(headers=AS_IT_IS | {"Authorization": f"Token {dees_key}"})
    assert response.status_code in {403, 403 if exists else 404}, (case.method, case.path)
    case.validate_response(response, checks=CHECKS)


@brief.parametrize()
@settings(max_examples=3, **BOUNDED)
def test_it_refuses_nobody_in_particular_everywhere(case: Any, world: dict[str, Any]) -> None:
    exists = prepare(case, world)
    case.headers = {name: value for name, value in (case.headers or {}).items() if name != "Authorization"}
    response = case.call(headers=AS_IT_IS)
    assert response.status_code in {401, 401 if exists else 404}, (case.method, case.path)
    case.validate_response(response, checks=CHECKS)
