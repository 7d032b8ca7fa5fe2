"""Certifier's own JSON, the map of reference runs, sPHENIX run details."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.lumi import LumiSet
from certifier.runs.importers import FileRefused
from certifier.runs.models import Lumisection, ReferenceRun, Run
from certifier.runs.selectors import flags_of, reference_run
from tests.runs.files import bring, read, write

OWN = {
    "runs": [{"run": 5, "period": "A", "lumisections": 10, "attributes": {"key": 1}}, {"run": 6}],
    "lumisections": {"5": {"first": 2, "pileup": [20.5, None], "flags": {"stable_beams": "2-9"}}},
}
SPHENIX = [
    {"runnumber": 47289, "run_length": 703, "magnet_on": True, "emcal_status": "GOLDEN", "mbd_status": None},
    {"runnumber": 47290, "run_length": None, "magnet_on": False},
]


@pytest.mark.django_db
def test_it_imports_the_bodies_of_rest(tmp_path: Path) -> None:
    bring(write(tmp_path, OWN))
    run = Run.objects.get(number=5)
    assert (run.period, run.last_lumisection, run.attributes) == ("A", 10, {"key": 1})
    assert list(Lumisection.objects.filter(run=run).order_by("number").values_list("pileup", flat=True)) == [
        None,
        20.5,
        None,
    ]
    assert flags_of(run) == {"stable_beams": LumiSet.parse("2-9")}
    assert not bring(write(tmp_path, OWN)).changed


@pytest.mark.django_db
def test_it_imports_what_rest_answers(tmp_path: Path, api: Callable[[User], APIClient], ben: User) -> None:
    bring(write(tmp_path, OWN))
    client = api(ben)
    runs = client.get("/api/v1/runs/").json()["results"]
    lumisections = {"5": client.get("/api/v1/runs/5/lumisections/").json()}
    assert not bring(write(tmp_path, {"runs": runs, "lumisections": lumisections})).changed


@pytest.mark.django_db
def test_it_takes_a_flag_of_its_own_form_as_the_whole_flag(tmp_path: Path) -> None:
    bring(write(tmp_path, OWN))
    bring(write(tmp_path, {"lumisections": {"5": {"flags": {"stable_beams": "2-3"}}}}))
    assert flags_of(Run.objects.get(number=5)) == {"stable_beams": LumiSet.parse("2-3")}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"runs": {}}, "runs: a list is needed."),
        ({"runs": [5]}, "runs[0]: an object with a number as “run” is needed."),
        ({"runs": [{"run": True}]}, "runs[0]: an object with a number"),
        ({"runs": [{"run": 5}, {"run": 6, "fill": "x"}]}, "runs[1]: fill: Send a whole number"),
        ({"runs": [{"run": 5}, {"run": 5}]}, "Run 5 stands at index 0 already."),
        ({"runs": [], "run": 5}, "there is no key “run”; keys are runs and lumisections."),
        ({"lumisections": []}, "lumisections: an object is needed"),
        ({"lumisections": {"x": {}}}, "lumisections.x: the key is not a run number."),
        ({"lumisections": {"5": []}}, "lumisections.5: an object of columns is needed."),
        ({"lumisections": {"5": {"pileup": [True]}}}, "lumisections.5: pileup[0]: Send a finite number"),
        ({"lumisections": {"5": {"flags": {"a": "3-1"}}}}, "reversed"),
        ({"lumisections": {"5": {"flags": []}}}, "lumisections.5.flags: an object is needed."),
        ({"lumisections": {"5": {"pileup": [1]}}}, "lumisections.5: run: There is no run 5."),
        ({"runs": [{"run": 5}], "lumisections": {"5": {"flags": {"a": "3"}}}}, "flags.a"),
    ],
)
@pytest.mark.django_db
def test_it_names_the_place(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(FileRefused) as caught:
        bring(write(tmp_path, value))
    assert message in str(caught.value)
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_it_imports_reference_runs(tmp_path: Path) -> None:
    pairs = [(313098, 312727), (313106, 312727), (313098, 312728)]
    value = [{"run_number": run, "reference_run_number": reference} for run, reference in pairs]
    outcome = bring(write(tmp_path, value, "refs.json"))
    assert (outcome.references.created, outcome.changed) == (3, True)
    assert reference_run(313098) == 312728
    assert set(ReferenceRun.objects.values_list("source", flat=True)) == {"refs.json"}
    assert not bring(write(tmp_path, value, "refs.json")).changed


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (5, "item 2: run_number and reference_run_number are needed, and nothing else."),
        ({"run_number": 5}, "item 2: run_number and reference_run_number are needed"),
        ({"run_number": 5, "reference_run_number": -1}, "item 2: reference_run_number -1 is not a run number."),
        ({"run_number": 2**31, "reference_run_number": 1}, "item 2: run_number 2147483648 is not a run number."),
    ],
)
def test_it_names_the_bad_reference(tmp_path: Path, item: Any, message: str) -> None:
    with pytest.raises(FileRefused) as caught:
        read(tmp_path, [{"run_number": 5, "reference_run_number": 4}, item])
    assert message in str(caught.value)


@pytest.mark.django_db
def test_it_takes_a_whole_sphenix_run_as_one_lumisection(tmp_path: Path) -> None:
    bring(write(tmp_path, SPHENIX))
    run, other = Run.objects.order_by("number")
    assert (run.number, run.last_lumisection, run.attributes) == (47289, 1, {"emcal_status": "GOLDEN"})
    assert Lumisection.objects.get(run=run).duration_s == 703
    assert flags_of(run) == {"magnet_on": LumiSet.whole(1)}
    assert flags_of(other) == {"magnet_on": LumiSet()}
    assert not bring(write(tmp_path, SPHENIX)).changed


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"runnumber": 47289}, "item 2: run 47289 is item 1 already."),
        ({"runnumber": "5"}, "item 2: runnumber 5 is not a run number."),
        ({"runnumber": 5, "run_length": -1}, "item 2: run_length -1 is not a number of seconds."),
        ({"runnumber": 5, "run_length": "long"}, "item 2: run_length long is not a number of seconds."),
        ([], "item 2: an object is needed."),
    ],
)
def test_it_names_the_bad_sphenix_run(tmp_path: Path, item: Any, message: str) -> None:
    with pytest.raises(FileRefused) as caught:
        read(tmp_path, json.dumps([SPHENIX[0], item]))
    assert message in str(caught.value)
