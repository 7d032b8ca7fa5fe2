"""The viewer: all elements, a run with the one that looks wrong first, one element with its lumisections."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client

from certifier.accounts.models import System, User
from certifier.monitoring import services as monitoring
from certifier.monitoring.models import Element, Part
from certifier.runs import services as runs
from certifier.runs.models import Run
from mlcore.histograms import HistogramBlock
from tests.monitoring.blocks import ETA, PHI, TIME, histograms, ingest
from tests.web import experiment
from tests.web.experiment import BEFORE, RUN, part, words

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
URL = f"/histograms/runs/{RUN}/"
ENERGY, MAP, FLAT = "LAr/cellEnergy", "LAr/occupancy", "Pixel/charge"


def broken(block: HistogramBlock, rows: slice) -> HistogramBlock:
    """The last bins lost in some lumisections."""
    counts = block.counts.copy()
    counts[rows, 7:] = 0
    return HistogramBlock(block.element, block.axes, counts, block.conditions)


@pytest.fixture
def world(systems: dict[str, System]) -> None:
    """Two runs of 100 lumisections with three elements; in the second one energies are lost in 31-40."""
    experiment.define()
    for number in (BEFORE, RUN):
        experiment.take(number)
    runs.import_reference_runs(actor=None, references=[(RUN, BEFORE)])
    whole = "1-100"
    ingest(
        histograms(ENERGY, whole, run=BEFORE, seed=1),
        histograms(MAP, whole, run=BEFORE, axes=(ETA, PHI), seed=2),
        histograms(FLAT, whole, run=BEFORE, seed=3),
        run=BEFORE,
    )
    ingest(
        broken(histograms(ENERGY, whole, seed=4), slice(30, 40)),
        histograms(MAP, whole, axes=(ETA, PHI), seed=5),
        histograms(FLAT, "11-90", seed=6),
    )
    for path, code in ((ENERGY, "LAR"), (MAP, "LAR"), (FLAT, "PIXEL")):
        monitoring.change_element(actor=None, element=Element.objects.get(path=path), system=code)
    experiment.record("LAR_DATACORRUPT", "31-40")


def text_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return words(answer.content.decode())


def figure(html: str, name: str) -> dict[str, Any]:
    found = re.search(rf'<script id="{name}" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_the_catalogue_lists_elements_with_what_there_is_of_them(world: None, page: Page, ben: User) -> None:
    html = page(ben).get("/histograms/").content.decode()
    text = words(html)
    assert f"{ENERGY} cell time [ns] LAR – 10 2 200 {RUN}" in text
    assert f"{MAP} eta × phi [rad] LAR – 6 × 8 2 200 {RUN}" in text
    assert f'href="/histograms/runs/{RUN}/{ENERGY}/"' in html
    assert f"{RUN} 3 elements 280 histograms {BEFORE} 3 elements 300 histograms" in text


def test_the_catalogue_is_filtered(world: None, page: Page, ben: User) -> None:
    client = page(ben)
    assert FLAT not in text_of(client, "/histograms/?q=lar")
    assert ENERGY not in words(part(client.get("/histograms/?system=PIXEL").content.decode(), "elements"))
    assert "No element fits." in text_of(client, "/histograms/?system=-")
    swapped = client.get("/histograms/?q=pixel", headers={"HX-Request": "true", "HX-Target": "elements"})
    assert "<html" not in swapped.content.decode()
    assert client.get("/histograms/?system=NONE").status_code == 200


def test_an_empty_catalogue_says_what_to_do(page: Page, ben: User) -> None:
    text = text_of(page(ben), "/histograms/")
    assert "No histogram has come yet." in text
    assert "manage.py import_histograms" in text


# --- a run ------------------------------------------------------------------------------------------------------------


def test_a_run_shows_the_element_that_looks_wrong_first(world: None, page: Page, ben: User) -> None:
    html = page(ben).get(URL).content.decode()
    text = words(html)
    assert text.index(f"{ENERGY} pull -") < text.index(f"{MAP} pull")
    # The whole stretch that is wrong in the same way, in steps of two lumisections.
    assert "31-40 · 10 LS" in text
    assert f'href="{URL}{ENERGY}/?ls=31-40"' in html
    assert "against run 350440, mean of 100 good LS" in text
    assert "LAR_DATACORRUPT" in text
    assert "looks wrong in 31-40" in html


def test_a_run_shows_the_lumisections_that_are_chosen(world: None, page: Page, ben: User) -> None:
    text = text_of(page(ben), f"{URL}?ls=1-5&against=run")
    assert "1-5 · 5 LS" in text
    assert "line: the rest of this run" in text
    assert "no histogram in these lumisections" in text  # the third element begins at 11


def test_a_run_shows_one_system(world: None, page: Page, ben: User) -> None:
    text = text_of(page(ben), f"{URL}?system=pixel")
    assert FLAT in text
    assert ENERGY not in text
    assert "all 3 LAR 2 PIXEL 1" in text


def test_lumisections_that_make_no_sense_are_said_so_beside_the_field(world: None, page: Page, ben: User) -> None:
    for url in (f"{URL}?ls=9-3", f"{URL}{ENERGY}/?ls=9-3"):
        text = text_of(page(ben), url)
        assert "the range is reversed" in text
        assert ENERGY in text


def test_a_run_without_histograms_says_so(world: None, page: Page, ben: User) -> None:
    experiment.take(experiment.AFTER)
    text = text_of(page(ben), f"/histograms/runs/{experiment.AFTER}/")
    assert "This run has no histograms." in text
    assert "Absent histograms are not good ones" in text


def test_nothing_is_compared_when_nobody_wants_it(world: None, page: Page, ben: User) -> None:
    text = text_of(page(ben), f"{URL}?against=nothing")
    assert "Nothing is compared: choose what with." in text
    assert "pull" not in text.replace("pulls", "")


def test_the_lumisections_of_the_reference_that_are_bad_are_left_out(world: None, page: Page, ben: User) -> None:
    experiment.record("LAR_DATACORRUPT", "1-40", run=BEFORE)
    assert "mean of 60 good LS" in text_of(page(ben), URL)


def test_a_run_page_leads_to_its_histograms(world: None, page: Page, ben: User) -> None:
    assert f'href="{URL}"' in page(ben).get(f"/runs/{RUN}/").content.decode()
    assert 'href="/histograms/"' in page(ben).get("/").content.decode()


# --- an element -------------------------------------------------------------------------------------------------------


def test_an_element_is_drawn_with_what_it_is_held_against(world: None, page: Page, ben: User) -> None:
    html = page(ben).get(f"{URL}{ENERGY}/?ls=31-40").content.decode()
    bars, line, pulls = figure(html, "overlay-plot")["data"]
    sent = broken(histograms(ENERGY, "1-100", seed=4), slice(30, 40)).counts[30:40].sum(axis=0)
    np.testing.assert_allclose(bars["y"], sent, rtol=1e-3)
    assert line["x"] == TIME.edges.tolist()
    np.testing.assert_allclose(line["y"][:7], bars["y"][:7], rtol=0.15)
    assert [colour == "var(--bad)" for colour in bars["marker"]["color"]] == [False] * 7 + [True] * 3
    assert max(pulls["y"][7:]) < -10
    text = words(html)
    assert f"entries {sent.sum():,.0f}" in text
    assert "line: run 350440, mean of 100 good LS" in text
    # Without a script the same stands there as a picture.
    assert '<noscript><svg class="hist"' in html


def test_an_element_steps_through_its_lumisections(world: None, page: Page, ben: User) -> None:
    client = page(ben)
    html = client.get(f"{URL}{FLAT}/?ls=50&against=run").content.decode()
    assert 'rel="prev" href="?ls=49&amp;against=run"' in html
    assert 'rel="next" href="?ls=51&amp;against=run"' in html
    first = client.get(f"{URL}{FLAT}/?ls=11").content.decode()
    assert 'rel="prev" href="?ls' not in first
    outside = text_of(client, f"{URL}{FLAT}/?ls=3")
    assert "No histogram in these lumisections." in outside
    assert "11 ›" in outside


@pytest.mark.parametrize("against", ["reference", "run", "predicted", "predicted-length"])
@pytest.mark.parametrize("path", [ENERGY, MAP])
def test_an_element_is_held_against_what_one_chooses(
    world: None, page: Page, ben: User, path: str, against: str
) -> None:
    html = page(ben).get(f"{URL}{path}/?ls=31-40&against={against}&show=pull").content.decode()
    said = {
        "reference": "run 350440, mean",
        "run": "the rest of this run",
        "predicted": "predicted, learned from 350440",
        "predicted-length": "predicted by luminosity, pile-up and run length, learned from 350440",
    }
    assert said[against] in words(html)
    picture = figure(html, "picture-plot")["data"][0]
    worst = np.abs(np.array(picture["z"], dtype=float)).max(axis=0)
    assert len(picture["x"]) == len(worst) + 1 == 101
    if path == ENERGY:
        assert worst[30:40].min() > 2 * np.delete(worst, slice(30, 40)).max() > 0


def test_a_map_is_drawn_beside_its_pulls_or_ratio(world: None, page: Page, ben: User) -> None:
    client = page(ben)
    sent = histograms(MAP, "1-100", axes=(ETA, PHI), seed=5).counts.sum(axis=0)
    for panel, middle in (("pull", 0.0), ("ratio", 1.0)):
        data = figure(client.get(f"{URL}{MAP}/?panel={panel}").content.decode(), "overlay-plot")["data"]
        np.testing.assert_allclose(np.array(data[0]["z"]).T, sent, rtol=1e-3)
        assert abs(np.array(data[1]["z"], dtype=float).mean() - middle) < 0.5
    assert 'class="hist-map"' in client.get(f"{URL}{MAP}/").content.decode()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("quantity=entries&x=lumisection", lambda block: block.totals),
        ("quantity=mean&x=lumisection", lambda block: block.flat @ TIME.centres / block.totals),
        ("quantity=bin&bin=3&x=lumisection", lambda block: block.flat[:, 2]),
    ],
)
def test_a_quantity_per_lumisection(
    world: None, page: Page, ben: User, query: str, expected: Callable[[HistogramBlock], Any]
) -> None:
    (trace,) = figure(page(ben).get(f"{URL}{FLAT}/?{query}").content.decode(), "trend-plot")["data"]
    np.testing.assert_allclose(trace["x"], np.arange(11, 91))
    np.testing.assert_allclose(trace["y"], expected(histograms(FLAT, "11-90", seed=6)), rtol=2e-3)


def test_a_quantity_against_luminosity_or_why_not(world: None, page: Page, ben: User) -> None:
    client = page(ben)
    trend = figure(client.get(f"{URL}{FLAT}/?ls=20-29").content.decode(), "trend-plot")
    assert [(trace["name"], len(trace["x"])) for trace in trend["data"]] == [("others", 70), ("chosen", 10)]
    assert set(trend["data"][0]["x"]) == {10.0}
    unknown = experiment.take(experiment.AFTER, recorded=None)
    ingest(histograms(FLAT, "1-20", run=unknown.number), run=unknown.number)
    assert "The luminosity of these lumisections is not known" in text_of(
        client, f"/histograms/runs/{unknown.number}/{FLAT}/"
    )


def test_choices_that_are_none_are_the_usual_ones(world: None, page: Page, ben: User) -> None:
    odd = "?panel=x&show=y&quantity=z&x=w&bin=999999&against=q&system=%3Cb%3E"
    assert page(ben).get(f"{URL}{ENERGY}/{odd}").status_code == 200
    assert page(ben).get(f"{URL}{odd}").status_code == 200


def test_an_element_that_this_run_does_not_have(world: None, page: Page, ben: User) -> None:
    experiment.take(experiment.AFTER)
    text = text_of(page(ben), f"/histograms/runs/{experiment.AFTER}/{ENERGY}/")
    assert "This run has no histogram of this element." in text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{URL}No/such/", "There is no monitoring element “No/such”"),
        (f"{URL}?dataset=none", "has no dataset “none”"),
        ("/histograms/runs/7/", "There is no run 7"),
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(world: None, page: Page, ben: User, url: str, said: str) -> None:
    answer = page(ben).get(url)
    assert answer.status_code == 404
    assert said in words(answer.content.decode())


def test_a_lost_file_is_said_to_be_lost(world: None, page: Page, ben: User) -> None:
    name = Part.objects.filter(dataset__run__number=RUN).values_list("file", flat=True)[0]
    with default_storage.open(name) as file:
        kept = file.read()
    default_storage.delete(name)
    try:
        answer = page(ben).get(f"{URL}{ENERGY}/")
        assert answer.status_code == 409
        assert "is missing or damaged" in words(answer.content.decode())
    finally:
        default_storage.save(name, ContentFile(kept))


def test_a_part_of_a_page_is_answered_alone(world: None, page: Page, ben: User) -> None:
    for url, target in ((URL, "overview"), (f"{URL}{ENERGY}/?ls=5", "element")):
        answer = page(ben).get(url, headers={"HX-Request": "true", "HX-Target": target})
        html = answer.content.decode()
        assert html.lstrip().startswith(f'<div class="stack" id="{target}"')
        assert "HX-Target" in answer["Vary"]


# --- who, and how much ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["/histograms/", URL, f"{URL}{ENERGY}/"])
def test_people_without_a_role_are_refused(world: None, page: Page, dee: User, url: str) -> None:
    refused = page(dee).get(url)
    assert refused.status_code == 403
    assert "needs the role viewer" in refused.content.decode()
    assert page(None).get(url).status_code == 302


@pytest.mark.parametrize(
    "url",
    ["/histograms/", URL, f"{URL}?system=LAR&ls=31-40", f"{URL}{ENERGY}/?ls=31-40&show=pull&quantity=pull",
     f"{URL}{MAP}/?against=predicted", f"{URL}{MAP}/?against=predicted-length"],
)  # fmt: skip
def test_a_page_asks_at_most_thirteen_times(
    world: None, page: Page, ben: User, django_assert_max_num_queries: Any, url: str
) -> None:
    experiment.summarise(Run.objects.get(number=BEFORE))
    client = page(ben)
    client.get(url)  # definitions are read once per process
    with django_assert_max_num_queries(13):  # one of them for the bell in the frame
        assert client.get(url).status_code == 200
