"""What an upload says it would change, and that it then changes just that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from certifier.accounts.models import System, User
from certifier.defects.models import Entry
from certifier.defects.selectors import run_defects
from certifier.defects.upload import record_upload
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import Api, define_all, of_run, present, record
from tests.defects.test_later_entries_win import taken_back

pytestmark = pytest.mark.django_db

URL = "/api/v1/defect-entries/upload/"
TEXT = """\
@359918
LAR_UNCHECKED G # express checked
LAR_EMBA_HVTRIP R 120-124 # channel 30
LAR_EMBA_HVNONNOMINAL Y 125-End # channel 30
"""


@pytest.fixture
def run(lar: System) -> Run:
    define_all("LAR_UNCHECKED", "LAR_EMBA_HVTRIP", "LAR_EMBA_HVNONNOMINAL")
    return make_run(359918, lumisections=728)


def post(api: Api, user: User, text: str, query: str = "") -> Any:
    return api(user).generic("POST", f"{URL}{query}", text, content_type="text/plain; charset=utf-8")


def test_a_dry_run_says_what_changes_and_changes_nothing(api: Api, ben: User, run: Run) -> None:
    record(run, "LAR_UNCHECKED", "1-728")
    record(run, "LAR_EMBA_HVTRIP", "122-130", comment="Ada saw it", recoverable=True)
    answer = post(api, ben, TEXT, "?dry_run=true")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["dry_run"], body["changes"], body["recorded"], body["head"]) == (True, True, 3, None)
    assert body["message"] == "3 lines would be recorded."
    signed, trip, nominal = body["lines"]
    assert (signed["line"], signed["becomes_absent"], signed["becomes_present"]) == (2, "1-728", "")
    assert signed["warnings"] == ["the whole run, lumisections 1-728"]
    assert trip["becomes_present"] == "120-121"
    assert trip["becomes_unrecoverable"] == "122-124"
    assert trip["overrides"] == [
        {"user": "system", "lumisections": "122-124", "present": True, "recoverable": True, "comment": "Ada saw it"}
    ]
    assert (nominal["becomes_present"], nominal["becomes_recoverable"]) == ("125-728", "125-728")
    assert Entry.objects.count() == 2


def test_without_it_the_lines_are_recorded(api: Api, ben: User, run: Run) -> None:
    answer = post(api, ben, TEXT)
    assert answer.status_code == 201
    body = answer.json()
    assert (body["dry_run"], body["recorded"], body["message"]) == (False, 3, "3 lines recorded.")
    assert body["head"] == Entry.objects.latest("id").pk
    assert present(run, "LAR_EMBA_HVTRIP") == "120-124"
    nominal = of_run(run, "LAR_EMBA_HVNONNOMINAL")
    assert nominal is not None
    assert [(one.user, one.recoverable) for one in nominal.intervals] == [("ben", True)]
    assert {entry.source for entry in Entry.objects.all()} == {"upload"}


def test_the_same_upload_again_changes_nothing_and_says_so(api: Api, ben: User, run: Run) -> None:
    post(api, ben, TEXT)
    for query in ("?dry_run=true", ""):
        again = post(api, ben, TEXT, query)
        assert again.status_code == 200
        body = again.json()
        assert (body["changes"], body["recorded"], body["head"]) == (False, 0, None)
        assert body["message"] == "Nothing changes: what the 3 lines say is recorded already."
        assert [line["already_so"] for line in body["lines"]] == ["1-728", "120-124", "125-728"]
        assert {line["changes"] for line in body["lines"]} == {False}
    assert Entry.objects.count() == 3


def test_lines_that_contradict_each_other_are_still_said_once(api: Api, ben: User, run: Run) -> None:
    text = "@359918\nLAR_EMBA_HVTRIP R 1-10 # trip\nLAR_EMBA_HVTRIP G 5 # but not here\n"
    first = post(api, ben, text).json()
    assert "line 3 below speaks of the same lumisections" in first["lines"][0]["warnings"][0]
    assert first["lines"][0]["becomes_present"] == "1-4 6-10"
    assert present(run, "LAR_EMBA_HVTRIP") == "1-4 6-10"
    assert post(api, ben, text).json()["recorded"] == 0
    more = text.replace("1-10", "1-12")
    assert post(api, ben, more).json()["recorded"] == 2
    assert present(run, "LAR_EMBA_HVTRIP") == "1-4 6-12"


def test_only_the_lines_that_change_something_are_written(api: Api, ben: User, run: Run) -> None:
    post(api, ben, TEXT)
    body = post(api, ben, TEXT.replace("120-124", "120-126")).json()
    assert body["message"] == "1 of 3 lines recorded; 2 say what is recorded already."
    assert [line["changes"] for line in body["lines"]] == [False, True, False]
    assert body["lines"][1]["already_so"] == "120-124"


def test_another_person_saying_the_same_is_recorded(api: Api, ben: User, ada: User, run: Run) -> None:
    post(api, ben, TEXT)
    body = post(api, ada, TEXT).json()
    assert body["recorded"] == 3
    assert {line["becomes_present"] for line in body["lines"]} == {""}


def test_taking_back_what_nobody_said_is_remarked(api: Api, ben: User, run: Run) -> None:
    body = post(api, ben, "@359918\nLAR_EMBA_HVTRIP G 5\n", "?dry_run=1").json()
    [line] = body["lines"]
    assert any("nobody has recorded it" in warning for warning in line["warnings"])
    assert any("no comment" in warning for warning in line["warnings"])


def test_dry_run_takes_true_or_false(api: Api, ben: User, run: Run) -> None:
    assert post(api, ben, TEXT, "?dry_run=maybe").status_code == 400


lines = st.lists(
    st.tuples(
        st.sampled_from(["LAR_UNCHECKED", "LAR_EMBA_HVTRIP"]),
        st.sampled_from(["R", "Y", "G"]),
        st.frozensets(st.integers(1, 8), max_size=6),
        st.sampled_from(["", "# x"]),
    ),
    max_size=6,
)


def as_text(said: list[tuple[str, str, frozenset[int], str]]) -> str:
    rows = [
        f"{defect} {colour} {' '.join(map(str, sorted(numbers)))} {comment}"
        for defect, colour, numbers, comment in said
    ]
    return "\n".join(["@359918", *rows])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=lines, upload=lines.filter(bool))
def test_recording_only_what_changes_ends_where_recording_all_would(
    run: Run, before: list[tuple[str, str, frozenset[int], str]], upload: list[tuple[str, str, frozenset[int], str]]
) -> None:
    with taken_back():
        if before:
            record_upload(actor=None, text=as_text(before))
        done = record_upload(actor=None, text=as_text(upload))
        spare = [(one.defect, _payloads(one)) for one in run_defects(run, absent=True).defects]
        for line in done.lines:  # now all of it, whether it changes anything or not
            entry = line.resolved.entry
            record(
                run,
                entry.defect,
                str(line.resolved.lumisections),
                present=entry.present,
                recoverable=entry.recoverable,
                comment=entry.comment,
            )
        whole = [(one.defect, _payloads(one)) for one in run_defects(run, absent=True).defects]
        assert spare == whole
        assert record_upload(actor=None, text=as_text(upload)).changing == 0


def _payloads(one: Any) -> list[tuple[Any, ...]]:
    return [
        (str(interval.lumisections), interval.present, interval.recoverable, interval.comment)
        for interval in one.intervals
    ]
