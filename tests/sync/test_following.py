"""A pass keeps what it wrote, whatever happens to it; one process follows a source at a time; looks are not kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from certifier.accounts.models import User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.runs.models import Run
from certifier.sync import services, tasks
from certifier.sync.errors import FollowedElsewhere, SourceFailed
from certifier.sync.models import Cursor, Outcome, Pass
from certifier.sync.sources import Source
from tests.sync.answering import Refusal, answering, bits_of, oms, run_of

pytestmark = pytest.mark.django_db
RUNS = [run_of(number) for number in range(355100, 355104)]
BITS = [row for run in RUNS for row in bits_of(run["run_number"], 2)]


def source(address: str) -> Source:
    return Source("oms", "oms", address)


def follow(address: str, **more: Any) -> Pass:
    return services.follow(**{"actor": None, "source": source(address), "progress": lambda *_: None, **more})


def test_what_was_written_before_the_source_failed_stays() -> None:
    whole = oms(RUNS, BITS)
    broken = [True]

    def answer(path: str, query: dict[str, str], body: Any) -> Any:
        if broken[0] and query.get("filter[run_number][EQ]") == "355102":
            return Refusal(500, "the database of OMS is away")
        return whole(path, query, body)

    with answering(answer) as server:
        with pytest.raises(SourceFailed, match=r"answered 500\. the database of OMS is away"):
            follow(server.address)
        assert set(Run.objects.values_list("number", flat=True)) == {355100, 355101}
        failed = Pass.objects.get()
        assert (failed.outcome, failed.counts["runs_created"]) == (Outcome.FAILED, 2)
        broken[0] = False
        server.asked.clear()
        assert follow(server.address).counts["runs_created"] == 2
    assert server.asked[0][1]["filter[run_number][GT]"] == "355101"


def test_a_process_that_dies_leaves_the_cursor_where_its_last_run_is() -> None:
    class Killed(BaseException):
        pass

    def progress(done: int, total: int, what: str) -> None:
        if "355102" in what:
            raise Killed

    with answering(oms(RUNS, BITS)) as server:
        with pytest.raises(Killed):
            follow(server.address, progress=progress)
        assert Cursor.objects.get().value["last"] == 355101
        assert follow(server.address).counts["runs_created"] == 2


def test_one_process_at_a_time_until_it_was_silent_too_long() -> None:
    with answering(oms(RUNS, BITS)) as server:
        held = services._held(source(server.address))
        with pytest.raises(FollowedElsewhere):
            follow(server.address)
        Cursor.objects.update(held_until=timezone.now() - timedelta(seconds=1))
        assert follow(server.address).counts["runs_created"] == 4
        # The one that was given up on comes back, and can move nothing.
        from certifier.sync.sources import Batch

        following = services.Following(source(server.address), None, None, False)
        with pytest.raises(FollowedElsewhere):
            services._write(following, held, Batch("1", None, {"last": 1}), lambda *_: None)
    assert Cursor.objects.get().value["last"] == 355103


def test_it_waits_for_a_source_that_is_busy() -> None:
    whole, busy = oms(RUNS, BITS), [Refusal(503), Refusal(429)]

    def answer(path: str, query: dict[str, str], body: Any) -> Any:
        return busy.pop() if busy else whole(path, query, body)

    with answering(answer) as server:
        assert follow(server.address).counts["runs_created"] == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Refusal(200, "<html>Sign in</html>"), "answered no JSON: <html>Sign in</html>"),
        (Refusal(401, "who are you"), "answered 401. who are you"),
        ({"runs": []}, "answered no “data”"),
        ({"data": [{"attributes": {"number": 4}}]}, "answered rows without run_number"),
        ([], "answered no “data”"),
        (Refusal(302), "answered 302"),
    ],
)
def test_it_says_what_came_instead(answer: Any, words: str) -> None:
    with answering(lambda *_: answer) as server, pytest.raises(SourceFailed, match=words):
        follow(server.address)


def test_nobody_answers() -> None:
    with answering(oms([], [])) as server:
        address = server.address
    with pytest.raises(SourceFailed, match="did not answer"):
        follow(address)


def test_the_clock_keeps_only_what_brought_something_or_came_out_otherwise(settings: Any) -> None:
    runs = list(RUNS)
    with answering(oms(runs, BITS)) as server:
        settings.SYNC_SOURCES = {"oms": {"kind": "oms", "address": server.address}}
        assert tasks.follow_all() == {"oms": "4 new runs, 8 lumisections changed, 12 flags changed"}
        assert tasks.follow_all() == {"oms": "nothing new"}
        assert Pass.objects.count() == 1
    assert tasks.follow_all() == {"oms": "failed"}
    assert tasks.follow_all() == {"oms": "failed"}
    assert list(Pass.objects.values_list("outcome", flat=True)) == [Outcome.FAILED, Outcome.DONE]
    assert AuditEvent.objects.filter(code="sync.follow").count() == 2


def test_one_that_fails_keeps_no_other_waiting(settings: Any) -> None:
    with answering(oms(RUNS, BITS)) as server:
        settings.SYNC_SOURCES = {
            "gone": {"kind": "folder", "address": "/nowhere/at/all"},
            "oms": {"kind": "oms", "address": server.address},
        }
        assert tasks.follow_all()["gone"] == "failed"
    assert Run.objects.count() == 4


def test_who_may_not_change_runs_may_not_follow(ben: User, dee: User) -> None:
    for person in (ben, dee):
        with pytest.raises(NotAllowed):
            services.follow(actor=person, source=source("http://127.0.0.1:9"), progress=lambda *_: None)
        with pytest.raises(NotAllowed):
            services.ask(actor=person, source=source("http://127.0.0.1:9"))
    assert not Pass.objects.exists()
