"""The pages of good-run lists, as a browser without JavaScript sees them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from certifier.accounts.models import User
from certifier.goodruns import formats, services
from certifier.goodruns.models import GoodRunList
from certifier.runs import services as runs
from tests.goodruns import world
from tests.goodruns.world import REQUIRED

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]


@pytest.fixture(autouse=True)
def defined() -> None:
    world.make_defects()
    world.make_run(358031, 10, recorded=[1000.0] * 10)
    world.make_run(358032, 5)
    runs.put_flags(actor=None, run=358031, flags={"stable_beams": "1-4"})
    world.record(358031, "LAR_HVTRIP", "3-5", recoverable=True)
    world.sign(358031, "PIXEL", "LAR")


@pytest.fixture
def built() -> GoodRunList:
    return services.build_list(actor=None, name="periodK", require=[REQUIRED], description="The first of the year.")


@pytest.fixture
def imported() -> GoodRunList:
    file = formats.read(b'{"358031": [[2, 7]], "99": [[1, 4]]}')
    return services.import_list(actor=None, name="golden", file=file, source="golden.json")


@pytest.fixture
def chi_at(page: Page, chi: User) -> Client:
    return page(chi)


def words(answer: Any) -> str:
    """What is to be read on a page, with single blanks."""
    text = re.sub(r"<(script|style)[^>]*>.*?</\1>", " ", answer.content.decode(), flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_it_shows_all_lists(chi_at: Client, built: GoodRunList, imported: GoodRunList) -> None:
    text = words(chi_at.get("/good-runs/"))
    assert "periodK" in text
    assert "golden" in text
    assert "7.00 /pb" in text
    assert "golden" not in words(chi_at.get("/good-runs/?origin=built")).partition("origin requires")[2]


def test_it_says_when_there_is_none(chi_at: Client) -> None:
    assert "There is no good-run list here yet." in words(chi_at.get("/good-runs/"))


def test_it_shows_a_built_list_with_its_loss_and_provenance(chi_at: Client, built: GoodRunList) -> None:
    text = words(chi_at.get(f"/good-runs/{built.pk}/"))
    assert "8 LS, 3.00 /pb recorded (30.0%) of 15 LS in 2 runs" in text
    assert "LAR 8 3.00 /pb 3.00 /pb 5 LS" in text
    assert "LAR_HVTRIP 3 3.00 /pb 3.00 /pb" in text
    assert "not signed off: LAR, PIXEL" in text
    assert f"requires {REQUIRED} absent" in text
    assert "LAR_HVTRIP or LAR_NOISEBURST" in text
    assert built.sha256 in text
    assert 'data-plot="loss-plot"' in chi_at.get(f"/good-runs/{built.pk}/").content.decode()


def test_it_counts_the_loss_where_a_condition_held(chi_at: Client, built: GoodRunList) -> None:
    text = words(chi_at.get(f"/good-runs/{built.pk}/?flag=stable_beams"))
    assert "2 LS, 2.00 /pb recorded (50.0%) of 4 LS" in text
    assert "1 run without stable_beams is not counted" in text


def test_it_shows_an_imported_list(chi_at: Client, imported: GoodRunList) -> None:
    services.attach_document(actor=None, list_=imported, name="report.json", content={"cuts": 5})
    text = words(chi_at.get(f"/good-runs/{imported.pk}/"))
    assert "file golden.json" in text
    assert "99 1-4" in text
    assert "report.json" in text
    assert "6.00 /pb of 6 LS" in text
    assert "to the defects that are intolerable today" in text


@pytest.mark.parametrize(
    ("address", "kind", "start"),
    [
        ("golden.json", "application/json", b'{"358031": [[1, 2], [6, 10]]}'),
        ("grl.xml", "application/xml", b"<?xml"),
        ("list.csv", "text/csv", b"run,first,last\n"),
    ],
)
def test_it_offers_downloads(chi_at: Client, built: GoodRunList, address: str, kind: str, start: bytes) -> None:
    answer = chi_at.get(f"/good-runs/{built.pk}/{address}")
    assert answer["Content-Type"] == kind
    assert answer["Content-Disposition"].startswith('attachment; filename="periodK.')
    assert answer.content.startswith(start)


def test_it_compares_two_lists(chi_at: Client, built: GoodRunList, imported: GoodRunList) -> None:
    answer = chi_at.get(f"/good-runs/{built.pk}/compare/?other={imported.pk}")
    assert answer["Location"] == f"/good-runs/{built.pk}/diff/{imported.pk}/"
    text = words(chi_at.get(answer["Location"]))
    assert "only in the first periodK 4 4.00 /pb" in text
    assert "only in the second golden 7" in text
    assert "358031" in text
    assert "99" not in words(chi_at.get(f"{answer['Location']}?runs=358031")).partition("Where they differ")[2]
    assert "reversed" in words(chi_at.get(f"{answer['Location']}?runs=9-1"))
    assert "They are equal." in words(chi_at.get(f"/good-runs/{built.pk}/diff/{built.pk}/"))


def test_it_says_which_system_makes_two_lists_differ(chi_at: Client, built: GoodRunList) -> None:
    world.record(358031, "PIXEL_STANDBY", "8-9")
    later = services.build_list(actor=None, name="later", require=[REQUIRED])
    text = words(chi_at.get(f"/good-runs/{built.pk}/diff/{later.pk}/"))
    assert "PIXEL 2 2.00 /pb – –" in text
    assert "PIXEL – – 2 2.00 /pb" in words(chi_at.get(f"/good-runs/{later.pk}/diff/{built.pk}/"))
    other = services.build_list(actor=None, name="other", require=[REQUIRED], runs="358032")
    text = words(chi_at.get(f"/good-runs/{later.pk}/diff/{other.pk}/"))
    assert "runs that it was not made from 5 5.00 /pb – –" in text


def test_it_sends_back_who_chose_nothing_to_compare(chi_at: Client, built: GoodRunList) -> None:
    assert chi_at.get(f"/good-runs/{built.pk}/compare/")["Location"] == f"/good-runs/{built.pk}/"


PREVIEW = f"/good-runs/build/?require={REQUIRED}&runs=358031-358032"


def digest_on(answer: Any) -> str:
    found = re.search(r'name="previewed" value="([0-9a-f]{64})"', answer.content.decode())
    assert found
    return found[1]


def test_it_previews_and_publishes_what_was_previewed(chi_at: Client) -> None:
    preview = chi_at.get(PREVIEW)
    text = words(preview)
    assert "lumisections 7" in text
    assert "not signed off: LAR, PIXEL" in text
    assert not GoodRunList.objects.exists()
    answer = chi_at.post(PREVIEW, {"name": "new", "description": "", "previewed": digest_on(preview)}, follow=True)
    list_ = GoodRunList.objects.get()
    assert (list_.name, list_.lumisection_count, list_.run_selection) == ("new", 7, "358031-358032")
    assert "The list new is published." in words(answer)


def test_it_does_not_publish_what_nobody_has_seen(chi_at: Client) -> None:
    seen = digest_on(chi_at.get(PREVIEW))
    world.record(358031, "LAR_HVTRIP", "9")
    answer = chi_at.post(PREVIEW, {"name": "new", "previewed": seen})
    assert answer.status_code == 400
    assert "Something was entered or signed since the preview." in words(answer)
    assert not GoodRunList.objects.exists()
    chi_at.post(PREVIEW, {"name": "new", "previewed": digest_on(answer)})
    assert GoodRunList.objects.get().lumisection_count == 6


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("require=LAR_HVTRIP", "is a primary defect"),
        ("require=NOSUCH", "There is no defect “NOSUCH”."),
        (f"require={REQUIRED}&runs=9-1", "reversed"),
        (f"require={REQUIRED}&ignore=NOSUCH", "There is no defect “NOSUCH”."),
        (f"require={REQUIRED}&ignore={REQUIRED}", "required and ignored at once"),
        (f"require={REQUIRED}&tag=nosuch", "Select a valid choice"),
        ("require=", "There is no defect"),
    ],
)
def test_it_names_what_cannot_be_asked(chi_at: Client, query: str, text: str) -> None:
    answer = chi_at.get(f"/good-runs/build/?{query}")
    assert answer.status_code == 400
    assert text in words(answer)


def test_it_refuses_a_name_that_is_taken(chi_at: Client, imported: GoodRunList) -> None:
    preview = chi_at.get(PREVIEW)
    answer = chi_at.post(PREVIEW, {"name": "golden", "previewed": digest_on(preview)})
    assert answer.status_code == 400
    assert "A list called golden exists with another content" in words(answer)


def test_it_lets_a_shifter_preview_and_not_publish(page: Page, ben: User) -> None:
    client = page(ben)
    preview = client.get(PREVIEW)
    assert "lumisections 7" in words(preview)
    assert "Publishing a good-run list needs the role coordinator" in words(preview)
    assert client.post(PREVIEW, {"name": "new", "previewed": "0" * 64}).status_code in (400, 403)
    assert client.get("/good-runs/import/").status_code == 403
    assert client.get("/good-runs/combine/").status_code == 403
    assert not GoodRunList.objects.exists()


def test_it_imports_a_file_and_shows_what_was_sloppy(chi_at: Client) -> None:
    file = SimpleUploadedFile("sloppy.json", b'{"2": [[1, 4]], "1": [[5, 9], [1, 6]]}')
    answer = chi_at.post("/good-runs/import/", {"file": file, "name": ""}, follow=True)
    text = words(answer)
    assert "The list sloppy is imported." in text
    assert "The runs are not in ascending order." in text
    file = SimpleUploadedFile("sloppy.json", b'{"2": [[1, 4]], "1": [[1, 9]]}')
    again = chi_at.post("/good-runs/import/", {"file": file, "name": ""}, follow=True)
    assert "was there already" in words(again)


@pytest.mark.parametrize(
    ("data", "text"), [(b"", "the file is empty"), (b'{"1": [[1, 2', "half a file"), (b"<a/>", "LumiRangeCollection")]
)
def test_it_names_what_is_wrong_with_a_file(chi_at: Client, data: bytes, text: str) -> None:
    answer = chi_at.post("/good-runs/import/", {"file": SimpleUploadedFile("x.json", data), "name": "x"})
    assert answer.status_code == 400
    assert text in words(answer)
    assert not GoodRunList.objects.exists()


def test_it_combines_lists(chi_at: Client, built: GoodRunList, imported: GoodRunList) -> None:
    body = {"first": built.pk, "operation": "minus", "others": [imported.pk], "name": "rest"}
    answer = chi_at.post("/good-runs/combine/", body, follow=True)
    assert "The list rest is published." in words(answer)
    assert GoodRunList.objects.get(name="rest").lumisection_count == 4
    refused = chi_at.post("/good-runs/combine/", body | {"others": [built.pk], "name": "x"})
    assert "The first list is among the others" in words(refused)


@pytest.mark.parametrize("address", ["", "1/", "1/golden.json", "1/diff/2/", "build/", "import/", "combine/"])
def test_it_shows_nothing_to_an_outsider(page: Page, dee: User, address: str) -> None:
    assert page(dee).get(f"/good-runs/{address}").status_code == 403
    answer = page(None).get(f"/good-runs/{address}")
    assert answer.status_code == 302
    assert "sign-in" in answer["Location"]


def test_it_answers_404_for_a_list_that_is_not_there(chi_at: Client) -> None:
    assert chi_at.get("/good-runs/77/").status_code == 404
    assert chi_at.get(f"/good-runs/{10**30}/").status_code == 404


HTMX = {"HX-Request": "true", "HX-Target": "preview"}


def test_it_answers_a_change_of_the_question_with_the_preview_alone(chi_at: Client) -> None:
    answer = chi_at.get(PREVIEW, headers=HTMX)
    text = words(answer)
    assert "lumisections 7" in text
    assert "Publish 7 LS" in text
    assert "<html" not in answer.content.decode()
    assert "HX-Target" in answer["Vary"]
    refused = chi_at.get("/good-runs/build/?require=LAR_HVTRIP", headers=HTMX)
    assert refused.status_code == 400
    assert "This cannot be built" in words(refused)


def test_it_says_who_blocks_which_runs(chi_at: Client) -> None:
    text = words(chi_at.get(PREVIEW))
    assert "What blocks 1 run" in text
    assert "358032 not signed off: LAR, PIXEL" in text


def test_it_compares_with_the_newest_list_of_its_kind(chi_at: Client, built: GoodRunList) -> None:
    assert "Beside periodK the same lumisections" in words(chi_at.get(PREVIEW))
    world.record(358031, "LAR_HVTRIP", "8-9")
    text = words(chi_at.get(PREVIEW))
    assert "+0 LS · −2 LS, 2.00 /pb in 1 run" in text
    assert "What it no longer has went to LAR 2 LS, 2.00 /pb" in text


def test_a_list_leads_back_to_its_question(chi_at: Client, built: GoodRunList) -> None:
    link = re.search(r'href="(/good-runs/build/[^"]*)"', chi_at.get(f"/good-runs/{built.pk}/").content.decode())
    assert link
    text = words(chi_at.get(link[1].replace("&amp;", "&")))
    assert "Beside periodK the same lumisections" in text


def test_it_compares_with_the_list_that_is_chosen(chi_at: Client, built: GoodRunList, imported: GoodRunList) -> None:
    text = words(chi_at.get(f"{PREVIEW}&against={imported.pk}"))
    assert "Beside golden" in text
    assert "99 " in text


def test_it_shows_the_efficiency_and_hands_it_out_as_a_file(chi_at: Client, built: GoodRunList) -> None:
    for page, file in ((f"/good-runs/{built.pk}/", f"/good-runs/{built.pk}/efficiency.csv"), (PREVIEW, "")):
        text = words(chi_at.get(page))
        assert "no period 1 10.0 /pb 70.0% 100.0% 70.0%" in text
        answer = chi_at.get(file or PREVIEW.replace("build/", "build/efficiency.csv"))
        assert answer["Content-Type"] == "text/csv"
        assert answer.content.decode().splitlines()[1] == ",no period,1,0,10,7,70.000,100.000,70.000"
    assert chi_at.get("/good-runs/build/efficiency.csv?require=NOSUCH").status_code == 400
