"""Some defects are not recorded without saying why."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.defects import services, upload
from certifier.defects.entry_input import NewEntry
from certifier.defects.errors import EntriesRefused, UploadRefused
from certifier.defects.models import Defect, Definition, Source
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import Api, Page, define

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(lar: System) -> Run:
    define("LAR_A", needs_comment=True)
    run: Run = make_run(350479, lumisections=100)
    return run


def say(source: str, comment: str) -> None:
    entry = NewEntry(run=350479, defect="LAR_A", lumisections="5", comment=comment)
    services.record_entries(actor=None, entries=[entry], source=source)


@pytest.mark.parametrize("source", [Source.PAGE, Source.REST, Source.UPLOAD, Source.ROBOT])
def test_nobody_speaks_without_one(run: Run, source: str) -> None:
    for empty in ("", " \n"):
        with pytest.raises(EntriesRefused, match="not recorded without a comment"):
            say(source, empty)
    say(source, "Line 14")


def test_what_was_said_elsewhere_before_is_taken_as_it_is(run: Run) -> None:
    say(Source.IMPORT, "")
    say(Source.REVIEW, "")


def test_an_upload_names_its_line(run: Run, ben: User) -> None:
    with pytest.raises(UploadRefused, match="Line 2: LAR_A is not recorded without a comment"):
        upload.record_upload(actor=ben, text="@350479\nLAR_A R 5\n", dry_run=True)


def test_it_is_part_of_the_definition(run: Run, api: Api, ada: User) -> None:
    client = api(ada)
    assert client.get("/api/v1/defects/LAR_A/").json()["needs_comment"] is True
    answer = client.patch("/api/v1/defects/LAR_A/", {"needs_comment": False}, format="json")
    assert answer.status_code == 200
    assert "needs_comment" not in answer.json()
    assert [row.needs_comment for row in Definition.objects.order_by("version")] == [True, False]
    assert not Defect.objects.get().needs_comment
    say(Source.REST, "")


def test_the_form_sets_it(run: Run, page: Page, ada: User) -> None:
    body = {"name": "LAR_B", "system": "LAR", "description": "", "expression": "", "needs_comment": "on"}
    assert page(ada).post("/defects/define/", body).status_code == 302
    assert Defect.objects.get(name="LAR_B").needs_comment
    assert "required" in page(ada).get("/defects/d/LAR_B/").content.decode()
