"""Runs of a CMS Run Registry: what OMS measured, what the registry decided, and gaps that stay gaps."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.runs.models import ConditionFlag, Run
from certifier.runs.profile import profile_of
from certifier.sync import services
from certifier.sync.readers import run_registry as reader
from certifier.sync.sources import Source
from tests.sync.answering import answering, bits_of, registry, run_of

pytestmark = pytest.mark.django_db


def row_of(number: int, **decided: Any) -> dict[str, Any]:
    facts = {name: value for name, value in run_of(number).items() if name != "run_number"}
    return {"run_number": number, "oms_attributes": facts, "rr_attributes": decided}


def follow(address: str) -> Any:
    source = Source("registry", "run-registry", address)
    return services.follow(actor=None, source=source, progress=lambda *_: None)


def bits(number: int, count: int) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if name not in ("run_number", "lumisection_number")}
        for row in bits_of(number, count)
    ]


def test_runs_come_with_what_the_registry_decided() -> None:
    rows = [row_of(355100, state="SIGNOFF", significant=True, stop_reason=None), row_of(355101)]
    with answering(registry(rows, {355100: bits(355100, 6)})) as server:
        outcome = follow(server.address)
    assert outcome.counts["runs_created"] == 2
    run = Run.objects.get(number=355100)
    assert run.attributes["rr_state"] == "SIGNOFF"
    assert run.attributes["rr_significant"] is True
    assert "rr_stop_reason" not in run.attributes
    assert run.last_lumisection == 6
    assert str(ConditionFlag.objects.get(run=run, name="stable_beams").lumisections) == "3-6"
    assert server.headers[0]["email"] == "api@api"


def test_a_lumisection_the_registry_does_not_know_is_not_known_here() -> None:
    found = bits(355100, 6)
    found[3] = {"err": "no lumisection"}
    with answering(registry([row_of(355100)], {355100: found})) as server:
        follow(server.address)
    run = Run.objects.get()
    assert str(profile_of(run).known("recorded_inv_nb")) == "1-3 5-6"
    assert str(ConditionFlag.objects.get(run=run, name="stable_beams").lumisections) == "3 5-6"


def test_more_runs_than_a_page_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "RUNS_AT_ONCE", 2)
    with answering(registry([row_of(number) for number in range(355100, 355105)], {})) as server:
        assert follow(server.address).counts["runs_created"] == 5
        assert follow(server.address).counts == {}
