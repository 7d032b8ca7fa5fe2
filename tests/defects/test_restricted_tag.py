from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.defects import services
from certifier.defects.errors import NotPartOfTag, TagRefused
from certifier.defects.models import Tag
from certifier.defects.selectors import history, run_defects
from tests.cast import make_run
from tests.defects.builders import Api, define, present, record

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def world(lar: System) -> None:
    define("A")
    for number in (100, 200, 300):
        record(make_run(number, lumisections=10), "A", "1-5")


def test_a_run_outside_it_is_not_part_of_it(api: Api, chi: User) -> None:
    services.create_tag(actor=None, name="T", runs="150-250, 300")
    inside, outside = make_run(201, lumisections=5), make_run(99, lumisections=5)
    assert present(inside, "A", "T") == ""
    with pytest.raises(NotPartOfTag, match="Run 99 is not part of tag T"):
        run_defects(outside, "T")
    with pytest.raises(NotPartOfTag):
        history(outside, "T")
    answer = api(chi).get("/api/v1/runs/100/defects/?tag=T")
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("Run 100 is not part of tag T")
    assert api(chi).get("/api/v1/runs/300/defects/?tag=T").json()["defects"][0]["present"] == "1-5"


def test_nothing_in_range_makes_no_tag(api: Api, chi: User) -> None:
    with pytest.raises(TagRefused, match="Nothing in range"):
        services.create_tag(actor=None, name="T", runs="101-199")
    assert api(chi).post("/api/v1/tags/", {"name": "T", "runs": "101-199"}, format="json").status_code == 400
    assert not Tag.objects.exists()


def test_a_tag_of_a_restricted_tag_covers_the_runs_of_both() -> None:
    services.create_tag(actor=None, name="a", runs="100-200")
    assert services.create_tag(actor=None, name="b", from_tag="a").runs == "100-200"
    assert services.create_tag(actor=None, name="c", from_tag="a", runs="150-400").runs == "150-200"
    with pytest.raises(TagRefused, match="Nothing in range"):
        services.create_tag(actor=None, name="d", from_tag="a", runs="300-400")
    with pytest.raises(TagRefused, match="Nothing in range"):
        services.create_tag(actor=None, name="e", from_tag="a", runs="120-180")
