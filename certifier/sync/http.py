"""Questions to another program: JSON there and back, patient with one that is busy, strict with one that rambles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import urllib3

from .errors import SourceFailed
from .sources import Source

PATIENCE: Final = urllib3.Timeout(connect=10, read=60)
# Everything asked here may be asked twice: nothing of it changes the other side.
RETRIES: Final = urllib3.Retry(
    total=3,
    backoff_factor=0.5,
    status_forcelist=(429, 502, 503, 504),
    allowed_methods=None,
    redirect=0,
    raise_on_status=False,
    # A source that wants to be left alone for an hour is asked again by the next pass.
    retry_after_max=30,
)
LARGEST_ANSWER: Final = 256 * 1024 * 1024
SHOWN: Final = 200


class Client:
    """One source over HTTP, its connection kept."""

    def __init__(self, source: Source, *, scheme: str = "Bearer", headers: Mapping[str, str] | None = None) -> None:
        self.base = source.address.rstrip("/")
        self.headers = {"Accept": "application/json", "User-Agent": "Certifier", **(headers or {})}
        if source.token:
            self.headers["Authorization"] = f"{scheme} {source.token}"
        self.pool = urllib3.PoolManager(timeout=PATIENCE, retries=RETRIES)

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Any:
        """The JSON at `path`, None for 404. Raises SourceFailed."""
        return self._ask("GET", path + (f"?{urlencode(query)}" if query else ""), None)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """What a search that is sent as POST answers. Raises SourceFailed."""
        return self._ask("POST", path, json.dumps(body).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        headers = self.headers | ({"Content-Type": "application/json"} if body is not None else {})
        url = f"{self.base}/{path}"
        try:
            answer = self.pool.request(method, url, body=body, headers=headers, preload_content=False)
            try:
                text = answer.read(LARGEST_ANSWER + 1)
            finally:
                answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            reason = getattr(error, "reason", None) or error
            raise SourceFailed(f"{url} did not answer: {reason}.") from error
        if answer.status == 404:
            return None
        if answer.status >= 300:
            raise SourceFailed(f"{url} answered {answer.status}. {_beginning(text)}".strip())
        if len(text) > LARGEST_ANSWER:
            raise SourceFailed(f"{url} answered more than {LARGEST_ANSWER // 1024**2} MiB.")
        try:
            return json.loads(text)
        except ValueError as error:
            raise SourceFailed(f"{url} answered no JSON: {_beginning(text)}") from error


def _beginning(text: bytes) -> str:
    return " ".join(text[:SHOWN].decode("utf-8", "replace").split())


def expect(holds: bool, url: str, what: str) -> None:
    """Raises SourceFailed unless an answer has the shape that such a source gives."""
    if not holds:
        raise SourceFailed(f"{url} answered {what}. Is the kind of the source right?")


def rows_in(answer: Any, key: str, url: str) -> list[Mapping[str, Any]]:
    """The list of objects below `key`. Raises SourceFailed."""
    rows = answer.get(key) if isinstance(answer, Mapping) else None
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise SourceFailed(f"{url} answered no “{key}”. Is the kind of the source right?")
    return rows
