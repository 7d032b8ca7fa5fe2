"""Programs that answer as sources do, on a port of this machine; each test says what they know."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Answer = Callable[[str, dict[str, str], Any], Any]


@dataclass
class Refusal:
    """An answer that is none."""

    status: int
    text: str = ""


@dataclass
class Server:
    """`answer` gets path, query and body and returns what is sent as JSON. Everything asked is kept in `asked`."""

    answer: Answer
    address: str = ""
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def answering(answer: Answer) -> Iterator[Server]:
    server = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            query = dict(parse_qsl(parts.query))
            server.asked.append((parts.path, query, body))
            server.headers.append(dict(self.headers))
            found = server.answer(parts.path, query, body)
            status, text = (
                (found.status, found.text.encode()) if isinstance(found, Refusal) else (200, json.dumps(found).encode())
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _reply  # noqa: N815  # the library's names

        def log_message(self, *args: object) -> None:
            return

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, daemon=True)
    thread.start()
    server.address = f"http://127.0.0.1:{listening.server_port}"
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def run_of(number: int, ended: str | None = "2020-05-01T12:00:00Z", **more: Any) -> dict[str, Any]:
    """A run as OMS describes it."""
    return {
        "run_number": number,
        "fill_number": 7000,
        "start_time": "2020-05-01T10:00:00Z",
        "end_time": ended,
        "era": "K",
        **more,
    }


def bits_of(number: int, count: int, **more: Any) -> list[dict[str, Any]]:
    """The lumisections of a run as OMS gives them; beams are stable from the third on."""
    return [
        {
            "run_number": number,
            "lumisection_number": place,
            "beam1_stable": place > 2,
            "beam2_stable": place > 2,
            "delivered_lumi_per_lumisection": 0.1,
            "recorded_lumi_per_lumisection": 0.09,
            **more,
        }
        for place in range(1, count + 1)
    ]


def oms(runs: list[dict[str, Any]], lumisections: list[dict[str, Any]]) -> Answer:
    """JSON:API with the filters that a reader uses."""

    def answer(path: str, query: dict[str, str], body: Any) -> Any:
        rows = {"/runs": runs, "/lumisections": lumisections}.get(path)
        if rows is None:
            return Refusal(404)
        found = rows
        if "filter[run_number][GT]" in query:
            found = [row for row in found if row["run_number"] > int(query["filter[run_number][GT]"])]
        if "filter[run_number][EQ]" in query:
            found = [row for row in found if row["run_number"] == int(query["filter[run_number][EQ]"])]
        found = sorted(found, key=lambda row: row[query["sort"]]) if "sort" in query else found
        start = int(query.get("page[offset]", 0))
        return {"data": [{"attributes": row} for row in found[start : start + int(query["page[limit]"])]]}

    return answer


def registry(runs: list[dict[str, Any]], bits: dict[int, list[dict[str, Any]]]) -> Answer:
    """The two questions of a run registry that a reader asks."""

    def answer(path: str, query: dict[str, str], body: Any) -> Any:
        if path == "/lumisections/oms_lumisections":
            return bits.get(body["run_number"], [])
        if path != "/runs_filtered_ordered":
            return Refusal(404)
        ((operator, number),) = body["filter"]["run_number"].items()
        fits = {">": lambda value: value > number, "=": lambda value: value == number}[operator]
        found = sorted((row for row in runs if fits(row["run_number"])), key=lambda row: row["run_number"])
        return {"runs": found[: body["page_size"]], "count": len(found), "pages": 1}

    return answer
