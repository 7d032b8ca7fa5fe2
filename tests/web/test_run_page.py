"""The page of one run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from certifier.accounts.models import User
from certifier.defects import services as defects
from certifier.runs import services as runs
from certifier.web import run_page
from tests.web import experiment
from tests.web.experiment import AFTER, BEFORE, RUN, part, words

Page = Callable[[User | None], Client]
ADDRESS = f"/runs/{RUN}/"


@pytest.fixture
def ada_page(systems: object, ada: User, page: Page) -> Client:
    experiment.define()
    experiment.take()
    return page(ada)


def html(client: Client, query: str = "", **headers: str) -> str:
    response = client.get(ADDRESS + query, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def table(client: Client, query: str = "") -> str:
    return words(part(html(client, query), "defects"))


def test_it_begins_with_the_facts_of_the_run(ada_page: Client) -> None:
    text = words(html(ada_page))
    for fact in ("Run 350479", "project data18_13TeV", "fill 6688", "lumisections 100", "recorded 1.00 /pb"):
        assert fact in text
    for fact in (
        "period L",
        "beam pp",
        "duration –",
        "delivered 1.25 /pb",
        "recorded of it 80.0%",
        "mean 40.0, peak 40.0",
    ):
        assert fact in text


def test_it_leads_to_the_runs_before_and_after_as_one_looks_at_this(ada_page: Client) -> None:
    experiment.take(BEFORE)
    experiment.take(AFTER)
    shown = html(ada_page, "?absent=true&system=LAR&page=3")
    assert f'rel="prev" href="/runs/{BEFORE}/?absent=true&amp;system=LAR"' in shown
    assert f'rel="next" href="/runs/{AFTER}/?absent=true&amp;system=LAR"' in shown


def test_it_shows_who_said_what_when_and_why(ada_page: Client, ada: User) -> None:
    experiment.record("LAR_DATACORRUPT", "11-15", actor=ada, comment="FEB data corrupted")
    experiment.record("LAR_NOISEBURST", "3 7-9", user="sys:hancool", recoverable=True)
    shown = html(ada_page)
    assert 'class="name intolerable"' in part(shown, "defects")
    text = words(part(shown, "defects"))
    assert "2 present" in text
    assert "LAR_DATACORRUPT 11-15 FEB data corrupted not recoverable ada" in text
    assert "LAR_NOISEBURST 3 7-9 recoverable sys:hancool" in text


def test_it_draws_every_defect_on_its_lane(ada_page: Client) -> None:
    experiment.record("LAR_DATACORRUPT", "11-15")
    experiment.record("LAR_NOISEBURST", "3 7-9")
    shown = html(ada_page)
    assert 'aria-label="LAR_DATACORRUPT: 11-15"' in shown
    assert (
        '<rect class="int" x="100.0" y="5" width="50.0" height="10"><title>LAR_DATACORRUPT 11-15</title></rect>'
        in shown
    )
    assert 'aria-label="LAR_NOISEBURST: 3 7-9"' in shown
    assert 'aria-label="stable beams: 5-100"' in shown
    assert "PIXEL" in words(shown).split("nothing recorded")[1]


def test_it_unfolds_the_systems_of_who_looks(ada_page: Client, page: Page, ben: User) -> None:
    experiment.record("LAR_NOISEBURST", "3")
    summary = '<summary class="lane lane-system">'
    assert f'<details data-fold="LAR" open>\n      {summary}' in html(ada_page)
    assert f'<details data-fold="LAR">\n      {summary}' in html(page(ben))


def test_it_hides_what_is_absent_unless_asked(ada_page: Client, ada: User) -> None:
    experiment.record("LAR_NOISEBURST", "3 7-9")
    experiment.record("LAR_NOISEBURST", "7", actor=ada, present=False, comment="Not seen any more")
    assert "Not seen any more" not in table(ada_page)
    text = table(ada_page, "?absent=true")
    assert "3 8-9" in text
    assert "7 Not seen any more absent ada" in text


def test_it_explains_virtual_defects_when_asked(ada_page: Client) -> None:
    experiment.record("LAR_DATACORRUPT", "11-15")
    assert "EMBA" not in table(ada_page)
    text = table(ada_page, "?virtual=true")
    assert "EMBA virtual 11-15 because LAR_DATACORRUPT" in text
    assert "PHYS_ALL_GOOD virtual 11-15 because EMBA" in text


def test_it_shows_one_system_when_asked(ada_page: Client) -> None:
    experiment.record("LAR_NOISEBURST", "3")
    experiment.record("PIXEL_STANDBY", "4")
    text = table(ada_page, "?system=pixel")
    assert "PIXEL_STANDBY" in text
    assert "LAR_NOISEBURST" not in text
    assert "No defect of this system is recorded here." in table(ada_page, "?system=SCT")


def test_it_cuts_a_table_that_nobody_can_read(ada_page: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_page, "MOST_ROWS", 3)
    for number in range(1, 4):
        experiment.record("LAR_NOISEBURST", str(number), comment=f"burst {number}")
    assert "are shown" not in table(ada_page)
    experiment.record("LAR_NOISEBURST", "4", comment="burst 4")
    text = table(ada_page)
    assert "Only the first 3 rows are shown. Choose a system to see the rest of it." in text
    assert "burst 3" in text
    assert "burst 4" not in text


def test_it_shows_a_tag_as_it_was_and_says_so(ada_page: Client) -> None:
    experiment.record("LAR_NOISEBURST", "3", comment="before the tag")
    defects.create_tag(actor=None, name="pro22-01")
    experiment.record("LAR_NOISEBURST", "4", comment="after the tag")
    defects.change_defect(actor=None, defect="LAR_NOISEBURST", name="LAR_NOISE")
    shown = html(ada_page, "?tag=PRO22-01")
    assert "You are looking at tag pro22-01" in words(shown)
    text = words(part(shown, "defects"))
    assert "LAR_NOISEBURST 3 before the tag" in text
    assert "after the tag" not in text
    assert "LAR_NOISE 3 before the tag" in table(ada_page)


def test_it_offers_only_the_tags_that_cover_the_run(ada_page: Client) -> None:
    experiment.take(BEFORE)
    defects.create_tag(actor=None, name="all")
    defects.create_tag(actor=None, name="earlier", runs=str(BEFORE))
    shown = html(ada_page)
    assert '<option value="all">' in shown
    assert '<option value="earlier">' not in shown
    refused = ada_page.get(ADDRESS + "?tag=earlier")
    assert refused.status_code == 404
    assert "Run 350479 is not part of tag earlier" in words(refused.content.decode())


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("?tag=pro22", 404, "There is no tag “pro22”."),
        ("?system=PIXELS", 400, "There is no system “PIXELS”. Did you mean PIXEL?"),
        ("?system=%C3%A9", 400, "There is no system “é”."),
    ],
)
def test_it_refuses_what_does_not_exist(ada_page: Client, query: str, status: int, said: str) -> None:
    response = ada_page.get(ADDRESS + query)
    assert response.status_code == status
    assert said in words(response.content.decode())


@pytest.mark.parametrize("number", ["7", "0", "99999999999999999999"])
def test_it_says_that_there_is_no_such_run(ada_page: Client, number: str) -> None:
    response = ada_page.get(f"/runs/{number}/")
    assert response.status_code == 404
    assert f"There is no run {number}." in words(response.content.decode())


def test_it_answers_htmx_with_the_table_alone(ada_page: Client) -> None:
    experiment.record("LAR_NOISEBURST", "3")
    asked = {"HX-Request": "true", "HX-Target": "defects"}
    alone = html(ada_page, "?absent=true", **asked)
    assert alone.strip().startswith("{#") or "<section" in alone[:400]
    assert "<html" not in alone
    assert part(alone, "defects") == part(html(ada_page, "?absent=true"), "defects")
    response = ada_page.get(ADDRESS, headers=asked)
    assert {"HX-Request", "HX-Target"} <= {name.strip() for name in response.headers["Vary"].split(",")}
    back = html(ada_page, **asked, **{"HX-History-Restore-Request": "true"})
    assert "<html" in back


def test_it_keeps_the_other_choices_when_one_changes(ada_page: Client) -> None:
    shown = part(html(ada_page, "?absent=true&system=LAR"), "defects")
    assert 'href="?system=LAR"' in shown
    assert 'href="?absent=true&amp;system=LAR&amp;virtual=true"' in shown
    assert '<input type="hidden" name="absent" value="true">' in shown


def test_it_calls_nothing_good_before_it_is_signed(ada_page: Client) -> None:
    run = experiment.take()
    experiment.record("LAR_DATACORRUPT", "11-15")
    experiment.summarise(run)
    text = words(html(ada_page))
    assert "good, once signed 950 /nb · 95.0%" in text
    assert "good for physics" not in text
    experiment.sign("LAR", "PIXEL")
    assert "good for physics 950 /nb · 95.0%" in words(html(ada_page))
    experiment.reopen("LAR", "Look at 11-15 again.")
    assert "good, once signed" in words(html(ada_page))


def test_it_says_of_how_much_the_luminosity_is_known(ada_page: Client) -> None:
    experiment.take(AFTER, recorded=None)
    shown = ada_page.get(f"/runs/{AFTER}/").content.decode()
    assert "recorded –" in words(shown)
    assert "The luminosity of no lumisection is known." in shown
    runs.put_lumisections(actor=None, run=AFTER, columns={"recorded_inv_nb": [1.0, 2.0]})
    shown = ada_page.get(f"/runs/{AFTER}/").content.decode()
    assert "recorded 3.00 /nb" in words(shown)
    assert "The sum of the 2 lumisections whose luminosity is known, of 100." in shown


def test_it_stands_without_lumisections_defects_or_systems(page: Page, ben: User) -> None:
    runs.put_run(actor=None, run=RUN, facts={})
    text = words(page(ben).get(ADDRESS).content.decode())
    assert "No lumisection of this run is known yet." in text
    assert "Nothing to sign yet: no lumisection is known." in text


def test_it_says_that_a_run_is_going_on(ada_page: Client) -> None:
    experiment.take(AFTER, ended_at=None)
    text = words(ada_page.get(f"/runs/{AFTER}/").content.decode())
    assert "lumisections 100 so far" in text
    assert "ended still going on" in text


def test_it_names_the_reference_run_and_the_datasets(ada_page: Client) -> None:
    runs.import_reference_runs(actor=None, references=[(RUN, AFTER), (RUN, BEFORE)])
    runs.put_dataset(actor=None, run=RUN, name="physics_Main", stage="bulk")
    text = words(html(ada_page))
    assert f"compared with run {BEFORE}" in text
    assert "1 dataset physics_Main bulk" in text


def test_it_shows_what_people_wrote_as_text(ada_page: Client) -> None:
    experiment.record("LAR_NOISEBURST", "3", comment="<script>x</script>", user="<b>")
    runs.put_run(actor=None, run=RUN, facts={"attributes": {"<i>": "<script>y</script>"}})
    shown = html(ada_page)
    assert "<script>x" not in shown
    assert "<script>y" not in shown
    assert "&lt;script&gt;x" in shown


def test_it_is_not_for_outsiders(ada_page: Client, page: Page, dee: User) -> None:
    refused = page(dee).get(ADDRESS)
    assert refused.status_code == 403
    assert "Reading needs the role viewer." in words(refused.content.decode())
    stranger = page(None).get(ADDRESS)
    assert stranger.status_code == 302
    assert stranger.headers["Location"] == f"/account/sign-in/?next={ADDRESS}"


def test_it_only_reads(ada_page: Client) -> None:
    assert ada_page.post(ADDRESS).status_code == 405
