"""POST and GET of histograms, as JSON and as Parquet; elements and who looks after them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.audit.models import AuditEvent
from certifier.monitoring import api as monitoring_api
from certifier.monitoring import files, parquet_body
from certifier.monitoring.models import Element, Part
from certifier.runs import services as runs
from certifier.runs.models import Change
from tests.monitoring.blocks import ETA, EXPRESS, PHI, RUN, histograms, ingest, take

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
URL = f"/api/v1/runs/{RUN}/histograms/"
AXES = [{"name": "time", "unit": "ns", "edges": [-1.0, 0.0, 1.0]}]
BODY: dict[str, Any] = {
    "histograms": [{"element": "Ecal/time", "axes": AXES, "lumisections": "1-2 9", "counts": [[1, 2], [3, 4], [5, 6]]}]
}


def send(client: APIClient, body: Any = BODY, query: str = f"?dataset={EXPRESS}") -> Any:
    return client.post(f"{URL}{query}", body, format="json")


def send_file(client: APIClient, body: bytes, kind: str = monitoring_api.PARQUET) -> Any:
    return client.post(f"{URL}?dataset={EXPRESS}", body, content_type=kind)


def one(**changes: Any) -> dict[str, Any]:
    return {"histograms": [{**BODY["histograms"][0], **changes}]}


def test_it_stores_what_is_sent_and_answers_it_again(api: Api, chi: User, ben: User) -> None:
    take()
    sent = send(api(chi))
    assert sent.status_code == 201
    assert sent.json() == {
        "run": RUN,
        "dataset": EXPRESS,
        "histograms": 3,
        "unchanged": 0,
        "lumisections": "1-2 9",
        "new_elements": ["Ecal/time"],
    }
    answer = api(ben).get(URL).json()
    (found,) = answer.pop("histograms")
    assert answer == {"run": RUN, "dataset": EXPRESS}
    assert found == {
        "element": "Ecal/time",
        "physics_object": "",
        "axes": [{"name": "time", "label": "", "unit": "ns", "circular": False, "edges": [-1.0, 0.0, 1.0]}],
        "lumisections": "1-2 9",
        "counts": [[1, 2], [3, 4], [5, 6]],
        "flow": [[[0, 0]], [[0, 0]], [[0, 0]]],
    }
    again = send(api(chi), {"histograms": [found]})
    assert (again.status_code, again.json()["unchanged"]) == (200, 3)


def test_it_takes_maps_flow_and_nulls(api: Api, chi: User) -> None:
    take()
    counts = np.arange(2 * 6 * 8).reshape(2, 6, 8).tolist()
    axes = [
        {"name": "eta", "edges": ETA.edges.tolist()},
        {"name": "phi", "edges": PHI.edges.tolist(), "circular": True},
    ]
    item = {
        "element": "Ecal/map", "axes": axes, "lumisections": "3-5", "counts": [counts[0], None, counts[1]],
        "flow": [[[1, 2], [3, 4]], None, [[0, 0], [0, 0.5]]],
    }  # fmt: skip
    assert send(api(chi), {"histograms": [item]}).json()["lumisections"] == "3 5"
    (found,) = api(chi).get(URL).json()["histograms"]
    assert found["counts"] == counts
    assert found["flow"] == [[[1, 2], [3, 4]], [[0, 0], [0, 0.5]]]


def test_axes_may_be_left_out_of_an_element_that_is_known(api: Api, chi: User) -> None:
    take()
    item = {"element": "Ecal/time", "lumisections": "4", "counts": [[7, 8]]}
    refused = send(api(chi), {"histograms": [item]})
    assert "send its axes; the element is not known yet" in refused.json()["errors"][0]["message"]
    send(api(chi))
    assert send(api(chi), {"histograms": [item]}).json()["histograms"] == 1


def test_it_answers_what_is_asked_for(api: Api, chi: User) -> None:
    take()
    ingest(histograms("A/one"), histograms("A/two"))
    ingest(histograms("A/one", seed=2), dataset="second")
    client = api(chi)
    found = client.get(URL, {"element": "A/one", "lumisections": "3-4 99", "dataset": "second"}).json()
    assert (found["dataset"], len(found["histograms"])) == ("second", 1)
    assert found["histograms"][0]["lumisections"] == "3-4"
    assert found["histograms"][0]["counts"] == histograms("A/one", seed=2).counts[2:4].astype(int).tolist()
    both = client.get(URL, {"element": ["A/one", "A/two"], "dataset": EXPRESS}).json()
    assert [item["element"] for item in both["histograms"]] == ["A/one", "A/two"]
    assert client.get(URL, {"lumisections": ""}).json()["histograms"][0]["lumisections"] == ""


def test_it_prefers_the_furthest_processed_dataset(api: Api, chi: User) -> None:
    take()
    for name, stage in (("bulk", "bulk"), ("late express", "express"), ("none", "final")):
        runs.put_dataset(actor=None, run=RUN, name=name, stage=stage)
    ingest(histograms(), dataset="bulk")
    ingest(histograms(), dataset="late express")
    assert api(chi).get(URL).json()["dataset"] == "bulk"


def test_a_run_without_histograms_answers_none(api: Api, chi: User) -> None:
    take()
    assert api(chi).get(URL).json() == {"run": RUN, "dataset": None, "histograms": []}


def test_it_refuses_to_answer_a_flood(api: Api, chi: User, monkeypatch: pytest.MonkeyPatch) -> None:
    take()
    ingest(histograms())
    monkeypatch.setattr(monitoring_api, "MOST_NUMBERS", 100)
    refused = api(chi).get(URL)
    assert refused.status_code == 413
    assert "would hold 200 numbers" in refused.json()["detail"]
    assert api(chi).get(URL, {"lumisections": "1-10"}).status_code == 200


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ({"element": "No/such"}, 404, "no monitoring element “No/such”"),
        ({"dataset": "none"}, 404, "has no dataset “none”"),
        ({"lumisections": "7-3"}, 400, "7"),
    ],
)
def test_it_says_what_is_not_there(api: Api, chi: User, query: dict[str, str], status: int, words: str) -> None:
    take()
    ingest(histograms())
    refused = api(chi).get(URL, query)
    assert refused.status_code == status
    assert words in refused.content.decode()


def test_the_dataset_must_be_named_unless_there_is_one(api: Api, chi: User) -> None:
    take()
    refused = send(api(chi), query="")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "dataset"
    runs.put_dataset(actor=None, run=RUN, name="only")
    assert send(api(chi), query="").json()["dataset"] == "only"
    runs.put_dataset(actor=None, run=RUN, name="other")
    assert "has only, other" in send(api(chi), query="").json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Send a list"),
        ({"histograms": []} | {"more": 1}, "There is no such field"),
        ({"histograms": [3]}, "Each item is an object"),
        (one(counts=[[1, 2], [3, 4]]), "counts are numbers, 3 × 2"),
        (one(counts=[[1, 2], [3, 4], [5]]), "counts are numbers, 3 × 2"),
        (one(counts=[["1", "2"]] * 3), "counts are numbers, 3 × 2"),
        (one(counts=[[True, False]] * 3), "counts are numbers, 3 × 2"),
        (one(counts="many"), "counts are numbers, 3 × 2"),
        (one(counts=[[1, -2], [3, 4], [5, 6]]), "run 350479 lumisection 1 are negative"),
        (one(lumisections="1-2 99"), "lumisection 99 is beyond the end of run 350479"),
        (one(lumisections=[1, 2, 9]), "Lumisections are text"),
        (one(lumisections="0-2"), "Ecal/time"),
        (one(axes=[]), "axes are a list"),
        (one(axes=[{"name": "x", "edges": [0, 0, 1]}]), "strictly ascending"),
        (one(axes=[{"name": "x", "edges": ["0", 1, 2]}]), "edges of an axis are numbers"),
        (one(axes=[{"edges": [0, 1, 2]}]), "name, label and unit"),
        (one(axes=[{"name": "x", "edges": [0, 1, 2], "bins": 2}]), "no field “bins”"),
        (one(element=7), "are texts"),
        (one(element="a//b"), "words with single slashes"),
        (one(colour="red"), "There is no field “colour”"),
        ({"histograms": [{"element": "Ecal/time"}]}, "“lumisections” is missing"),
    ],
)
def test_it_refuses_and_names_the_place(api: Api, chi: User, body: Any, words: str) -> None:
    take()
    refused = send(api(chi), body)
    assert refused.status_code == 400
    assert words in refused.content.decode()
    assert not Part.objects.exists()


def test_it_refuses_an_unknown_run(api: Api, chi: User) -> None:
    refused = send(api(chi))
    assert (refused.status_code, refused.json()["detail"]) == (
        404,
        f"There is no run {RUN}. Create it first (PUT runs/{RUN}/).",
    )


def test_it_refuses_whoever_may_not(api: Api, ada: User, ben: User, dee: User) -> None:
    take()
    for user in (ada, ben, dee):
        assert send(api(user)).status_code == 403
    assert send(api(None)).status_code == 401
    assert api(dee).get(URL).status_code == 403
    assert not Part.objects.exists()


# --- elements ---------------------------------------------------------------------------------------------------------


def test_it_lists_elements(api: Api, chi: User, lar: object) -> None:
    take()
    ingest(histograms("B/two"), histograms("A/one"))
    client = api(chi)
    listed = client.get("/api/v1/elements/").json()["results"]
    assert [item["path"] for item in listed] == ["A/one", "B/two"]
    assert client.get("/api/v1/elements/A/one/").json() == listed[0]
    assert listed[0]["system"] is None
    assert listed[0]["axes"][0]["name"] == "time"
    client.patch("/api/v1/elements/B/two/", {"system": "LAR"}, format="json")
    assert [item["path"] for item in client.get("/api/v1/elements/?system=LAR").json()["results"]] == ["B/two"]


def test_a_coordinator_says_who_looks_after_an_element(api: Api, chi: User, lar: object) -> None:
    take()
    ingest(histograms("A/one"))
    client = api(chi)
    body = {"system": "lar", "physics_object": "electrons"}
    for _ in range(2):
        changed = client.patch("/api/v1/elements/A/one/", body, format="json").json()
        assert (changed["system"], changed["physics_object"]) == ("LAR", "electrons")
    event = AuditEvent.objects.get(code="monitoring.change_element")
    assert event.subject == "A/one"
    assert event.data["after"] == {"system": "LAR", "physics_object": "electrons"}
    assert Change.objects.get(kind="monitoring.element").data["system"] == "LAR"
    assert client.patch("/api/v1/elements/A/one/", {"system": None}, format="json").json()["system"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [({"system": "NONE"}, "system"), ({"system": 3}, "system"), ({"physics_object": 3}, "physics_object"),
     ({"physics_object": "x" * 61}, "physics_object"), ({"axes": []}, "axes")],
)  # fmt: skip
def test_it_refuses_changes_that_make_no_sense(api: Api, chi: User, body: dict[str, Any], field: str) -> None:
    take()
    ingest(histograms("A/one"))
    refused = api(chi).patch("/api/v1/elements/A/one/", body, format="json")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == field


def test_it_lets_only_coordinators_change_elements(api: Api, ada: User, dee: User) -> None:
    take()
    ingest(histograms("A/one"))
    for user in (ada, dee):
        assert api(user).patch("/api/v1/elements/A/one/", {"system": "LAR"}, format="json").status_code == 403
    assert Element.objects.get().system is None


def test_an_element_that_is_not_there_is_404(api: Api, chi: User) -> None:
    assert api(chi).get("/api/v1/elements/No/such/").status_code == 404
    assert api(chi).patch("/api/v1/elements/No/such/", {}, format="json").status_code == 404


# --- Parquet ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [monitoring_api.PARQUET, monitoring_api.OCTETS])
def test_it_stores_a_parquet_file(api: Api, chi: User, kind: str) -> None:
    take()
    body = files.encode(RUN, [histograms("A/one"), histograms("Ecal/map", axes=(ETA, PHI), physics_object="photons")])
    sent = send_file(api(chi), body, kind)
    assert (sent.status_code, sent.json()["histograms"]) == (201, 40)
    assert send_file(api(chi), body, kind).json()["unchanged"] == 40
    (found,) = api(chi).get(URL, {"element": "Ecal/map", "lumisections": "4"}).json()["histograms"]
    assert found["counts"][0] == histograms("Ecal/map", axes=(ETA, PHI)).counts[3].astype(int).tolist()
    assert found["physics_object"] == "photons"


def test_it_refuses_a_parquet_file_that_is_cut_off_or_something_else(api: Api, chi: User) -> None:
    take()
    whole = files.encode(RUN, [histograms("A/one")])
    for body in (whole[: len(whole) // 2], b"PAR1", b"\x00" * 50, b"PAR1" + b"\xff" * 200 + b"PAR1"):
        refused = send_file(api(chi), body)
        assert refused.status_code == 400
        assert "not a whole Parquet file" in refused.json()["errors"][0]["message"]
    assert not Part.objects.exists()


def parquet(**columns: Any) -> bytes:
    known = {"element": ["A/one"] * 2, "lumisection": [1, 2], "counts": [[1.0, 2.0], [3.0, 4.0]]}
    table = pa.table({name: values for name, values in {**known, **columns}.items() if values is not None})
    axes = {"A/one": [{"name": "x", "bins": 2, "low": 0, "high": 1}]}
    table = table.replace_schema_metadata({"axes": json.dumps(axes)})
    out = pa.BufferOutputStream()
    pq.write_table(table, out)
    return bytes(out.getvalue())


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"counts": [1.0, 2.0]}, "The column counts holds double; it must hold lists of numbers"),
        ({"counts": [["1"], ["2"]]}, "The column counts holds list"),
        ({"counts": [[1.0, 2.0], [3.0]]}, "Row 2: A/one: 1 counts, its axes have 2"),
        ({"counts": [[1.0, -2.0], [3.0, 4.0]]}, "Row 1: A/one: counts are negative or infinite"),
        ({"counts": [[1.0, 2.0], [float("inf"), 4.0]]}, "Row 2: A/one: counts are negative or infinite"),
        ({"counts": None}, "there is no column counts"),
        ({"lumisection": [1, 1]}, "lumisection comes twice"),
        ({"lumisection": ["1", "2"]}, "The column lumisection holds string; it must hold integers"),
        ({"lumisection": [0, 1]}, "numbered from 1"),
        ({"lumisection": [1, 21]}, "A/one: lumisection 21 is beyond the end of run 350479, 20"),
        ({"element": ["A/one", "B/two"]}, "no axes of B/two"),
        ({"element": [1, 2]}, "The column element holds int64; it must hold text"),
    ],
)
def test_it_refuses_a_parquet_file_and_names_the_row(api: Api, chi: User, columns: dict[str, Any], words: str) -> None:
    take()
    refused = send_file(api(chi), parquet(**columns))
    assert refused.status_code == 400
    assert words in refused.json()["errors"][0]["message"]
    assert not Part.objects.exists()


def test_a_small_file_that_unpacks_to_a_flood_is_refused_unread(
    api: Api, chi: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    take()
    monkeypatch.setattr(parquet_body, "MOST_NUMBERS", 7)
    refused = send_file(api(chi), parquet())
    assert "The file holds 2 histograms with 8 numbers" in refused.json()["errors"][0]["message"]


def test_an_empty_body_is_refused(api: Api, chi: User) -> None:
    take()
    assert send_file(api(chi), b"").status_code == 400
