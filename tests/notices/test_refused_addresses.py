"""This server calls no neighbour of its own: what is not of the open network is refused, when said and when sent."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from certifier.accounts.models import System, User
from certifier.notices import outbox, webhooks
from certifier.notices.addresses import is_public, target_of
from certifier.notices.errors import AddressRefused, WebhookExists, WebhookRefused
from certifier.notices.models import Delivery, Webhook
from tests.notices import world

PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:c0a8:101::",
]  # fmt: skip


@pytest.mark.parametrize("ip", PRIVATE)
def test_an_address_of_a_private_network_is_none_of_the_open(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize("ip", ["93.184.215.14", "2606:2800:21f:cb07::1", "64:ff9b::5db8:d70e", "::ffff:93.184.215.14"])
def test_an_address_of_the_open_network_is(ip: str) -> None:
    assert is_public(ip)


@pytest.mark.parametrize("ip", PRIVATE)
def test_it_is_refused_when_said(chi: User, ip: str) -> None:
    host = f"[{ip}]" if ":" in ip else ip
    with pytest.raises(AddressRefused, match="nothing is sent there"):
        world.define(f"http://{host}/x", actor=chi)
    assert not Webhook.objects.exists()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.org/", "must begin with https"),
        ("file:///etc/passwd", "must begin with https"),
        ("example.org/hook", "must begin with https"),
        ("https://", "name a machine"),
        ("https://user:word@example.org/", "Leave name and password out"),
        ("https://example.org:99999/", "no address"),
        ("https://example.org:0/", "no port 0"),
        ("https://example.org/a b", "without spaces"),
        ("https://example.org/\r\nHost: x", "without spaces"),
        ("https://exämple.org/", "ASCII"),
        ("https://example.org/" + "x" * 500, "500 at most"),
        ("http://localhost/", "nothing is sent there"),
        ("http://LOCALHOST.:8000/", "nothing is sent there"),
        ("http://[::1/", "no address"),
    ],
)
def test_what_is_no_address_is_refused_when_said(chi: User, url: str, why: str) -> None:
    with pytest.raises(AddressRefused, match=why):
        world.define(url, actor=chi)


def names(monkeypatch: pytest.MonkeyPatch, *ips: str) -> None:
    """A name server that answers these."""

    def answer(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, 1, 6, "", (ip, port)) for ip in ips]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.django_db
@pytest.mark.parametrize("ips", [["127.0.0.1"], ["10.0.0.1"], ["93.184.215.14", "127.0.0.1"], ["::ffff:10.0.0.1"]])
def test_a_name_that_stands_for_one_is_refused_when_sent(
    lar: System, monkeypatch: pytest.MonkeyPatch, ips: list[str]
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("it connected")

    world.define("https://inside.example.org/")
    world.stop_automation(lar)
    world.told()
    names(monkeypatch, *ips)
    monkeypatch.setattr(socket, "create_connection", never)
    assert outbox.deliver()["failed"] == 1
    assert "inside.example.org is this machine or of a private network" in Delivery.objects.get().last_error


def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, "93.184.215.14", "2606:2800:21f:cb07::1")
    target = target_of("https://example.org:8443/hook?room=1#there")
    assert (target.ip, target.host_header, target.path) == ("93.184.215.14", "example.org:8443", "/hook?room=1")


@pytest.mark.usefixtures("private_network")
def test_an_operator_can_allow_them(chi: User) -> None:
    assert world.define("http://127.0.0.1:9/hook", actor=chi).url == "http://127.0.0.1:9/hook"


@pytest.mark.django_db
def test_what_else_makes_no_sense_is_refused(chi: User) -> None:
    url = "https://example.org/"
    world.define(url, actor=chi)
    with pytest.raises(WebhookExists):
        world.define(url, actor=chi)
    wrong = [webhooks.Wish(" ", url), webhooks.Wish("x" * 81, url), webhooks.Wish("other", url, kinds=["my-job"])]
    for wish in wrong:
        with pytest.raises(WebhookRefused):
            webhooks.define_webhook(actor=chi, wish=wish)
    assert Webhook.objects.count() == 1
