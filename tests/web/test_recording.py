"""Recording a defect as its pages do it: preview, type-ahead, what others said meanwhile, undo, a session that ends."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import User
from certifier.defects.models import Entry
from certifier.goodruns import services as goodruns
from tests.defects.builders import Page
from tests.web import experiment
from tests.web.experiment import MAIN, RUN, words

pytestmark = pytest.mark.django_db

ADDRESS = f"/runs/{RUN}/record/"
BODY = {"defect": "LAR_DATACORRUPT", "lumisections": "11-15", "state": "present", "comment": "FEB data corrupted"}
IN_PAGE = {
    "HX-Request": "true",
    "HX-Target": "record-form",
    "HX-Current-URL": f"http://testserver/runs/{RUN}/?ls=11-15",
}


@pytest.fixture(autouse=True)
def run(systems: object) -> None:
    experiment.define()
    experiment.take()


def html(answer: Any) -> str:
    return str(answer.content.decode())


def seen() -> int:
    newest = Entry.objects.order_by("-id").first()
    return newest.pk if newest else 0


# -- preview ---------------------------------------------------------------------------------------------------------


def test_the_preview_tells_what_changes_and_writes_nothing(page: Page, ada: User) -> None:
    goodruns.build_list(actor=None, name="GRL 1", require=[MAIN], signed_off=False)
    answer = page(ada).post(f"{ADDRESS}preview/", BODY)
    said = words(html(answer))
    assert "5 LS , 50.0 /nb recorded" in said
    assert f"{MAIN}, EMBA and LAR_DATACORRUPT become present on 11-15 (5 LS), 50.0 /nb recorded." in said
    assert "GRL 1 loses 5 LS, 50.0 /nb of the 1.00 /pb that it has of this run." in said
    assert not Entry.objects.exists()


def test_the_preview_has_lanes_for_the_strip(page: Page, ada: User) -> None:
    answer = html(page(ada).post(f"{ADDRESS}preview/", BODY))
    assert 'id="strip-preview" hx-swap-oob="true"' in answer
    data = json.loads(re.findall(r'id="strip-preview-data" type="application/json">(.*?)</script>', answer)[0])
    assert data["preview:0"]["parts"] == [["int", "11-15", "as it would be"], ["ghost", "11-15", "what you record"]]
    assert data["preview:1"] == {"name": MAIN, "intolerable": False, "parts": [["loss", "11-15", "becomes present"]]}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"defect": ""}, ""),
        ({"lumisections": ""}, ""),
        ({"lumisections": "9-3"}, "9-3"),
        ({"lumisections": "101"}, "beyond"),
        ({"defect": "LAR_DATACORUPT"}, "LAR_DATACORRUPT"),
    ],
)
def test_half_a_form_is_no_mistake_yet(page: Page, ada: User, changed: dict[str, str], said: str) -> None:
    answer = page(ada).post(f"{ADDRESS}preview/", BODY | changed)
    assert answer.status_code == 200
    assert said in words(html(answer))
    assert "data-lane" not in html(answer)


def test_it_says_where_it_is_so_already(page: Page, ada: User) -> None:
    experiment.record("LAR_DATACORRUPT", "13-20")
    assert "on 13-15 it is so already" in words(html(page(ada).post(f"{ADDRESS}preview/", BODY)))


# -- type-ahead ------------------------------------------------------------------------------------------------------


def options(client: Client, text: str) -> list[str]:
    return [
        part.split('"')[0] for part in html(client.get(f"{ADDRESS}defects/", {"q": text})).split('data-value="')[1:]
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lar_da", ["LAR_DATACORRUPT"]),
        ("noise", ["LAR_NOISEBURST"]),
        ("burst lar", ["LAR_NOISEBURST"]),
        ("veto", ["LAR_NOISEBURST"]),
        ("emba", []),
        ("pixel", []),
    ],
)
def test_it_finds_by_parts_of_name_and_description(page: Page, ada: User, text: str, found: list[str]) -> None:
    """Neither virtual defects nor those of systems that Ada may not record."""
    assert options(page(ada), text) == found


def test_what_is_used_more_comes_first_and_says_so(page: Page, ben: User) -> None:
    for _ in range(3):
        experiment.record("LAR_NOISEBURST", "3")
    assert options(page(ben), "")[0] == "LAR_NOISEBURST"
    said = words(html(page(ben).get(f"{ADDRESS}defects/", {"q": "noise"})))
    assert said == "LAR_NOISEBURST 3× in 1 run tolerable · Noise, removed by the veto."


# -- recording, from the page of the run -------------------------------------------------------------------------------


def test_on_the_page_of_the_run_the_form_stays_and_offers_undo(page: Page, ada: User) -> None:
    client = page(ada)
    answer = client.post(ADDRESS, BODY, headers=IN_PAGE)
    entry = Entry.objects.get()
    assert json.loads(answer["HX-Trigger"]) == {"recorded": {"run": RUN, "entry": entry.pk}}
    assert f"LAR_DATACORRUPT is recorded as present on 11-15 of run {RUN}." in words(html(answer))
    assert f'name="entry" value="{entry.pk}"' in html(answer)
    undone = client.post(f"{ADDRESS}undo/", {"entry": entry.pk}, headers=IN_PAGE)
    assert f"Entry {entry.pk} is undone" in words(html(undone))
    assert not Entry.objects.order_by("id")[1].present


def test_without_scripts_the_page_of_the_run_offers_undo(page: Page, ada: User, ben: User) -> None:
    client = page(ada)
    answer = client.post(ADDRESS, BODY)
    shown = html(client.get(answer["Location"]))
    assert f'name="entry" value="{Entry.objects.get().pk}"' in shown
    # It is offered to who recorded it, and only for an entry of this run.
    assert 'name="entry"' not in html(page(ben).get(answer["Location"]))
    assert 'name="entry"' not in html(client.get(f"/runs/{RUN}/?recorded=99"))
    assert client.post(f"{ADDRESS}undo/", {"entry": Entry.objects.get().pk})["Location"].startswith(f"/runs/{RUN}/?")


def test_a_form_from_before_shows_what_others_said_and_keeps_what_was_typed(page: Page, ada: User, ben: User) -> None:
    before = seen()
    experiment.record("LAR_DATACORRUPT", "14-18", actor=ben, comment="<b>Seen</b> at the desk", present=False)
    client = page(ada)
    answer = client.post(ADDRESS, BODY | {"seen": before})
    assert answer.status_code == 409
    said = words(html(answer))
    assert "Somebody else has recorded meanwhile." in said
    assert "LAR_DATACORRUPT absent on 14-18 <b>Seen</b> at the desk" in said
    assert "&lt;b&gt;Seen" in html(answer)
    assert "FEB data corrupted</textarea>" in html(answer)
    assert Entry.objects.count() == 1
    # Whoever presses again has seen the difference.
    assert f'name="seen" value="{seen()}"' in html(answer)
    assert client.post(ADDRESS, BODY | {"seen": seen()}).status_code == 302
    assert Entry.objects.count() == 2


def test_a_button_pressed_twice_records_once(page: Page, ada: User) -> None:
    client = page(ada)
    body = BODY | {"seen": seen()}
    first, second = client.post(ADDRESS, body), client.post(ADDRESS, body)
    assert (first.status_code, second.status_code) == (302, 302)
    assert first["Location"] == second["Location"]
    assert Entry.objects.count() == 1


def test_what_was_typed_outlives_the_session(page: Page, ada: User) -> None:
    nobody = page(None)
    answer = nobody.post(ADDRESS, BODY)
    assert answer["Location"] == f"/login/?next=/runs/{RUN}/" or answer["Location"].endswith(f"next=/runs/{RUN}/")
    nobody.force_login(ada)
    shown = html(nobody.get(f"/runs/{RUN}/"))
    for typed in ('value="LAR_DATACORRUPT"', 'value="11-15"', "FEB data corrupted</textarea>"):
        assert typed in shown
    assert "FEB data corrupted</textarea>" not in html(nobody.get(f"/runs/{RUN}/"))
    assert not Entry.objects.exists()


def test_with_htmx_one_is_sent_to_sign_in(page: Page) -> None:
    answer = page(None).post(ADDRESS, BODY, headers=IN_PAGE)
    assert answer["HX-Redirect"].endswith(f"next=/runs/{RUN}/")


def test_outsiders_are_refused_everywhere(page: Page, dee: User) -> None:
    client = page(dee)
    for address in ("", "preview/", "undo/"):
        assert client.post(f"{ADDRESS}{address}", BODY | {"entry": 1}).status_code == 403
    assert client.get(f"{ADDRESS}defects/").status_code == 403
    assert client.get(ADDRESS).status_code == 403


@pytest.mark.parametrize("comment", ["<script>alert(1)</script>", "\u202egnorw", "שלום עולם", "x" * 4000])
def test_what_people_write_is_text_and_never_turns_the_page_around(page: Page, ada: User, comment: str) -> None:
    client = page(ada)
    client.post(ADDRESS, BODY | {"comment": comment})
    shown = html(client.get(f"/runs/{RUN}/"))
    assert "<script>alert" not in shown
    assert '<span class="remark" dir="auto">' in shown
    assert str(Entry.objects.get().comment) == comment
