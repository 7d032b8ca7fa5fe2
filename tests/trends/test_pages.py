"""Drawing, keeping and putting away, and who may."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.trends import services
from certifier.trends.drawing import Asked
from certifier.trends.models import Trend
from certifier.trends.services import Kept
from tests.trends.conftest import COUNT, FIRST

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
EFFICIENCY = {"draw": "eff : start : pileup", "aliases": "eff = recorded / delivered", "where": "pileup > 30.5"}


def test_it_draws_with_aliases_and_a_selection(page: Page, ben: User, season: System) -> None:
    found = page(ben).get("/trends/draw/", EFFICIENCY).content.decode()
    chosen = len([place for place in range(COUNT) if place % 3])
    assert f"{chosen} points of {COUNT} runs" in found
    assert "trend-plot" in found
    assert f'href="/runs/{FIRST + COUNT - 1}/"' in found or f'href="/runs/{FIRST + COUNT - 2}/"' in found


def test_a_curve_comes_with_errors_that_were_counted(page: Page, ben: User, season: System) -> None:
    asked = {"draw": "recorded : delivered", "per": "lumisection", "curve": "on"}
    found = page(ben).get("/trends/draw/", asked).content.decode()
    assert "Distance correlation" in found
    assert "bootstrap of the curve" in found
    assert found.count("holds what it says") + found.count("not right everywhere") == 1
    assert "68% of new points" in found
    assert 'id="curve"' not in page(ben).get("/trends/draw/", asked | {"curve": ""}).content.decode()


@pytest.mark.parametrize(
    ("draw", "words"),
    [("recorded : delivered", "a curve with errors needs 60 points"), ("recorded", "A curve needs an x: write y : x.")],
)
def test_why_there_is_no_curve_is_said(page: Page, ben: User, season: System, draw: str, words: str) -> None:
    assert words in page(ben).get("/trends/draw/", {"draw": draw, "curve": "on"}).content.decode()


def test_few_queries_draw_it(page: Page, ben: User, season: System, django_assert_max_num_queries: object) -> None:
    client = page(ben)
    client.get("/trends/draw/", EFFICIENCY)
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        client.get("/trends/draw/", {"draw": "recorded + defect.LAR_ANY + flag.stable_beams + good : run : pileup"})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"draw": "recorded +"}, "A value is missing at the end (at character 11)."),
        ({"draw": "a : b"}, "There is no quantity “a” per run."),
        ({"draw": "run", "where": "run >"}, "A value is missing at the end"),
        ({"draw": "run", "aliases": "this is none"}, "Line 1: write name = formula."),
        ({"draw": "x", "aliases": "x = y\ny = x"}, "stands for itself"),
        ({"draw": "run", "runs": "9-1"}, "9-1"),
        ({"draw": "run", "sigmas": "-1"}, "greater than or equal to 0.1"),
        ({"draw": "<script>alert(1)</script>"}, "&lt;script&gt;"),
        ({"draw": ""}, "This field is required."),
        ({"draw": "1" * 2000}, "at most 1000 characters"),
    ],
)
def test_what_cannot_be_drawn_is_told_at_its_field(
    page: Page, ben: User, season: System, given: dict[str, str], words: str
) -> None:
    answer = page(ben).get("/trends/draw/", given)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert "<script>alert(1)" not in answer.content.decode()


def test_nothing_is_left_to_draw(page: Page, ben: User, season: System) -> None:
    assert "No point is left." in page(ben).get("/trends/draw/", {"draw": "run", "where": "0"}).content.decode()


def test_all_points_as_a_file(page: Page, ben: User, season: System) -> None:
    answer = page(ben).get("/trends/draw/points.csv", {"draw": "ls : run", "per": "lumisection"})
    lines = answer.content.decode().splitlines()
    assert len(lines) == 1 + 10 * COUNT
    assert lines[0] == "run,lumisection,y,x,colour,band_low,band_high,outside"
    assert lines[1].startswith(f"{FIRST},1,1.0,{FIRST}.0,,,,0")
    assert page(ben).get("/trends/draw/points.csv", {"draw": "nonsense"}).status_code == 404


def test_it_is_kept_changed_and_put_away_by_its_keeper(page: Page, ben: User, season: System) -> None:
    client = page(ben)
    answer = client.post("/trends/keep/", EFFICIENCY | {"name": "efficiency", "is_watched": "on"}, follow=True)
    assert "“efficiency” is kept, and watched from the next run on." in answer.content.decode()
    trend = Trend.objects.get()
    assert (trend.by, trend.since_run, trend.aliases) == (ben, FIRST + COUNT, {"eff": "recorded / delivered"})
    changed = EFFICIENCY | {"name": "efficiency", "where": "", "trend": str(trend.pk), "replace": "1"}
    client.post("/trends/keep/", changed)
    trend.refresh_from_db()
    assert (trend.where, trend.is_watched) == ("", False)
    assert "efficiency" in client.get("/trends/").content.decode()
    client.post(f"/trends/{trend.pk}/put-away/")
    assert "No trend is kept yet." in client.get("/trends/").content.decode()
    codes = AuditEvent.objects.filter(code__startswith="trends.").values_list("code", flat=True)
    assert list(codes.order_by("id")) == ["trends.save", "trends.save", "trends.put_away"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "efficiency"}, "is kept already"),
        (
            {"name": "x", "per": "lumisection", "is_watched": "on", "draw": "run"},
            "Only a trend per run can be watched.",
        ),
        ({"name": "x", "draw": "("}, "A value is missing"),
    ],
)
def test_what_cannot_be_kept_says_why(page: Page, ben: User, season: System, given: dict[str, str], words: str) -> None:
    services.save(actor=ben, asked=Asked("run"), kept=Kept("efficiency"))
    answer = page(ben).post("/trends/keep/", EFFICIENCY | given, follow=True)
    assert words in answer.content.decode()
    assert Trend.objects.count() == 1


def test_only_the_keeper_and_coordinators_change_it(ben: User, ada: User, chi: User, dee: User) -> None:
    trend = services.save(actor=ben, asked=Asked("run"), kept=Kept("runs"))
    with pytest.raises(NotAllowed):
        services.save(actor=ada, asked=Asked("fill"), kept=Kept("runs"), trend=trend)
    with pytest.raises(NotAllowed):
        services.put_away(actor=ada, trend=trend)
    with pytest.raises(NotAllowed):
        services.save(actor=dee, asked=Asked("run"), kept=Kept("other"))
    services.save(actor=chi, asked=Asked("fill"), kept=Kept("runs"), trend=trend)
    trend.refresh_from_db()
    assert (trend.draw, trend.by) == ("fill", ben)


def test_an_outsider_sees_nothing(page: Page, dee: User) -> None:
    for path in ("/trends/", "/trends/draw/", "/trends/draw/points.csv"):
        assert page(dee).get(path).status_code == 403
    assert page(dee).post("/trends/keep/", EFFICIENCY | {"name": "x"}).status_code == 403
