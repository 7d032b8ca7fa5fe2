"""Things that happen, each through the services that make them happen in real life; and a receiver of webhooks."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from certifier.accounts.models import System, User
from certifier.audit.unit import unit_of_work
from certifier.goodruns import formats
from certifier.goodruns import services as goodruns
from certifier.goodruns.models import GoodRunList
from certifier.notices import services, webhooks
from certifier.notices.models import Notice, Webhook
from certifier.notices.sealing import unseal
from certifier.ops import jobs
from certifier.ops.models import Job, Trigger
from certifier.precert import services as precert
from certifier.precert.models import Mode, ModelVersion
from certifier.review.intake import find_items
from certifier.training import services as training
from certifier.training.models import LEARNED, Outcome, Training
from certifier.training.services import Asked
from tests.ops import jobs_for_tests  # noqa: F401  # registers the kinds
from tests.review import queue_world
from tests.review.queue_world import F


def new_findings(system: System, number: int, count: int = 1) -> None:
    """So many findings of a run came into the review queue."""
    version = ModelVersion.objects.filter(system=system).first() or queue_world.champion(system)
    findings = [F(f"{10 * each + 1}-{10 * each + 3}", suspected="") for each in range(count)]
    queue_world.score(version, queue_world.take(number), *findings)
    find_items()


def stop_automation(
    system: System, *, actor: User | None = None, reason: str = "Pollution is above its limit."
) -> None:
    precert.set_mode(actor=actor, system=system, mode=Mode.STOPPED, reason=reason, bound={"pollution": {"limit": 0.01}})


def failed_job(*, actor: User | None = None, words: str = "No such file.", key: str = "work") -> Job:
    job = jobs.start("tests.fail", key=key, arguments={"words": words}, actor=actor)
    jobs.perform(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    return job


def publish_list(actor: User, name: str = "pro22") -> GoodRunList:
    file = formats.read(b'{"350479": [[1, 20]]}')
    return goodruns.import_list(actor=actor, name=name, file=file, source="good.json")


def training_ended(system: System, outcome: Outcome, *, job: Job | None = None) -> Training:
    """As the room of trainings writes it down; that real trainings end so is tested there."""
    asked = Asked(system, Trigger.COMMAND, job)
    made = {"challenger": queue_world.version_of(system)} if outcome in LEARNED else {}
    with unit_of_work(None) as unit:
        return training._write(unit, asked, outcome=outcome, words="Why it came out so.", took_s=1.0, **made)


def titles(person: User) -> list[str]:
    """What a person is told and has not read, the oldest first."""
    return [row.title for row in Notice.objects.of(person).unread().select_related("event").order_by("pk")]


def told() -> dict[str, int]:
    return services.find()


def define(url: str, *, actor: User | None = None, name: str = "chat", **wish: Any) -> Webhook:
    return webhooks.define_webhook(actor=actor, wish=webhooks.Wish(name=name, url=url, **wish))[0]


def secret_of(webhook: Webhook) -> str:
    """What requests to it are signed with now."""
    return unseal(Webhook.objects.get(pk=webhook.pk).sealed_secret)


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers with the statuses it was given, the last one for ever."""

    url: str
    statuses: list[int]
    slowly: Callable[[], None]
    received: list[Received] = field(default_factory=list)


@contextmanager
def receiver(*statuses: int, slowly: Callable[[], None] = lambda: None) -> Iterator[Receiver]:
    found: list[Receiver] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            me = found[0]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            me.received.append(Received(dict(self.headers.items()), body))
            status = me.statuses.pop(0) if len(me.statuses) > 1 else me.statuses[0]
            me.slowly()
            try:
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", me.url)
                self.end_headers()
                self.wfile.write(b"what it says")
            except (BrokenPipeError, ConnectionResetError):  # the sender waited long enough
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Nothing to the console."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found.append(Receiver(f"http://127.0.0.1:{server.server_port}/hook?room=1", list(statuses) or [204], slowly))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sleepy(seconds: float) -> Callable[[], None]:
    return lambda: time.sleep(seconds)


def stop_automation_again(system: System) -> None:
    precert.set_mode(actor=None, system=system, mode=Mode.ASSIST, reason="Looked at.")
    stop_automation(system, reason="Loss is above its limit.")


@contextmanager
def dripping() -> Iterator[str]:
    """A receiver that begins to answer and never ends: a byte now and then, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip() -> None:
        talking, _ = listener.accept()
        with talking:
            while not ended.wait(0.05):
                try:
                    talking.sendall(b"H")
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        ended.set()
        thread.join()
        listener.close()
