"""Who may not: everybody who lacks the role, by every way in, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.defects import services
from certifier.defects.entry_input import NewEntry
from certifier.defects.models import Defect, Definition, Entry, Tag
from certifier.defects.upload import record_upload
from tests.cast import make_run
from tests.defects.builders import Api, define

pytestmark = pytest.mark.django_db

ENTRY = NewEntry(run=1, defect="PIXEL_A", lumisections="1")
WRITES: dict[str, Callable[[User], object]] = {
    "record": lambda user: services.record_entries(actor=user, entries=[ENTRY], source="page"),
    "upload": lambda user: record_upload(actor=user, text="@1\nPIXEL_A R 1"),
    "preview": lambda user: record_upload(actor=user, text="@1\nPIXEL_A R 1", dry_run=True),
    "define": lambda user: services.define_defect(actor=user, name="PIXEL_NEW", system="PIXEL"),
    "change": lambda user: services.change_defect(actor=user, defect="PIXEL_A", intolerable=True),
    "tag": lambda user: services.create_tag(actor=user, name="T"),
}


@pytest.fixture(autouse=True)
def world(lar: System, pixel: System) -> None:
    define("LAR_A")
    define("PIXEL_A", system="PIXEL")
    make_run(1, lumisections=10)


def counts() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Entry, Defect, Definition, Tag, AuditEvent))


@pytest.mark.parametrize("write", WRITES)
def test_an_outsider_may_do_nothing(dee: User, write: str) -> None:
    before = counts()
    with pytest.raises(NotAllowed, match="Ask an administrator"):
        WRITES[write](dee)
    assert counts() == before


@pytest.mark.parametrize("write", WRITES)
def test_an_expert_of_another_system_may_do_nothing(ada: User, write: str) -> None:
    before = counts()
    with pytest.raises(NotAllowed):
        WRITES[write](ada)
    assert counts() == before


@pytest.mark.parametrize("write", ["define", "change", "tag"])
def test_a_shifter_records_and_does_not_define_or_tag(ben: User, write: str) -> None:
    with pytest.raises(NotAllowed):
        WRITES[write](ben)
    services.record_entries(actor=ben, entries=[ENTRY], source="page")


def test_one_system_that_is_not_yours_refuses_all(ada: User) -> None:
    mine = NewEntry(run=1, defect="LAR_A", lumisections="1")
    with pytest.raises(NotAllowed, match="expert of PIXEL"):
        services.record_entries(actor=ada, entries=[mine, ENTRY], source="page")
    assert not Entry.objects.exists()
    services.record_entries(actor=ada, entries=[mine], source="page")


def test_a_defect_moves_only_between_systems_of_one_s_own(ada: User) -> None:
    with pytest.raises(NotAllowed):
        services.change_defect(actor=ada, defect="LAR_A", system="PIXEL")
    with pytest.raises(NotAllowed):
        services.change_defect(actor=ada, defect="PIXEL_A", system="LAR")


@pytest.mark.parametrize("write", WRITES)
def test_a_coordinator_may_do_all(chi: User, write: str) -> None:
    WRITES[write](chi)


GETS = ["defects/", "defects/LAR_A/", "runs/1/defects/", "runs/1/defects/history/", "tags/", "tags/HEAD/diff/HEAD/"]


@pytest.mark.parametrize("address", GETS)
def test_rest_is_read_by_whoever_has_a_role(api: Api, dee: User, ben: User, address: str) -> None:
    assert api(None).get(f"/api/v1/{address}").status_code == 401
    assert api(dee).get(f"/api/v1/{address}").status_code == 403
    assert api(ben).get(f"/api/v1/{address}").status_code == 200


@pytest.mark.parametrize(
    "request_",
    [
        ("post", "defects/", {"name": "X", "system": "PIXEL"}),
        ("patch", "defects/PIXEL_A/", {"intolerable": True}),
        ("post", "tags/", {"name": "T"}),
        ("post", "defect-entries/", {"entries": [{"run": 1, "defect": "PIXEL_A", "lumisections": "1"}]}),
    ],
)
def test_rest_refuses_with_403_and_a_reason(
    api: Api, ada: User, dee: User, request_: tuple[str, str, dict[str, object]]
) -> None:
    method, address, body = request_
    for user in (ada, dee):
        answer = getattr(api(user), method)(f"/api/v1/{address}", body, format="json")
        assert answer.status_code == 403
        assert "Ask an administrator" in answer.json()["detail"]
    assert getattr(api(None), method)(f"/api/v1/{address}", body, format="json").status_code == 401
