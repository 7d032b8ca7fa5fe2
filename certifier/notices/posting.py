"""One signed request to a webhook.

POST …
Certifier-Delivery: 6f1c…            the same at every attempt
Certifier-Timestamp: 1790000000      when this attempt was made
Certifier-Signature: sha256=9a4e…    HMAC-SHA256 of "timestamp.delivery.body" with the webhook's secret
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from .addresses import Target, target_of

TIME_LIMIT_S: Final = 10.0
READ_AT_MOST: Final = 300


class NotTaken(Exception):
    """The receiver did not take it; the message says what came instead."""


def signature(secret: str, timestamp: str, uid: str, body: bytes) -> str:
    signed = f"{timestamp}.{uid}.".encode() + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def post(url: str, secret: str, uid: str, content: dict[str, Any]) -> None:
    """Send it. Returns when the receiver answered 2xx; raises NotTaken, AddressRefused, or OSError and
    http.client.HTTPException of the network. A redirect is not followed: it could lead anywhere.
    """
    target = target_of(url)
    body = json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    timestamp = str(int(time.time()))
    headers = {
        "Host": target.host_header,
        "Content-Type": "application/json",
        "User-Agent": "Certifier",
        "Certifier-Delivery": uid,
        "Certifier-Timestamp": timestamp,
        "Certifier-Signature": signature(secret, timestamp, uid, body),
    }
    with _connected(target) as connection:
        connection.request("POST", target.path, body=body, headers=headers)
        answer = connection.getresponse()
        if not 200 <= answer.status < 300:
            said = answer.read(READ_AT_MOST).decode("utf-8", "replace").strip()
            raise NotTaken(f"It answered {answer.status} {answer.reason}. {said}".strip())


@contextmanager
def _connected(target: Target) -> Iterator[http.client.HTTPConnection]:
    """A connection to the machine that was checked, cut after the time limit however slowly it talks: a limit of the
    socket alone begins anew with every byte.
    """
    deadline = time.monotonic() + TIME_LIMIT_S
    late = f"It did not answer within {TIME_LIMIT_S:g} s."
    try:
        raw = socket.create_connection((target.ip, target.port), timeout=TIME_LIMIT_S)
    except TimeoutError as error:
        raise NotTaken(late) from error
    live = [raw]
    cut = threading.Timer(max(0.0, deadline - time.monotonic()), _cut, [live])
    cut.daemon = True
    cut.start()
    connection = http.client.HTTPConnection(target.host, target.port, timeout=TIME_LIMIT_S)
    try:
        if target.scheme == "https":
            live[0] = secured = ssl.create_default_context().wrap_socket(
                raw, server_hostname=target.host, do_handshake_on_connect=False
            )
            secured.do_handshake()
        connection.sock = live[0]
        yield connection
    except NotTaken:
        raise
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() >= deadline or isinstance(error, TimeoutError):
            raise NotTaken(late) from error
        raise
    finally:
        cut.cancel()
        connection.close()
        live[0].close()


def _cut(live: list[socket.socket]) -> None:
    try:
        # Of the socket, not of TLS: the reader must meet an end and not a half-closed object.
        socket.socket.shutdown(live[0], socket.SHUT_RDWR)
    except OSError:  # it was closed in the same moment
        return
