"""Where a webhook may go: over http or https, to the open network.

Whoever may name an address that this server then calls could make it call its own neighbours: the database's port, a
cloud's metadata. So a name is looked up once, every address it stands for must be public, and the connection goes to
the address that was looked at, whatever the name stands for a moment later.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

from .errors import AddressRefused

LONGEST_URL: Final = 500
# IPv4 addresses in the clothes of IPv6 (RFC 6052).
TRANSLATED: Final = ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Target:
    """A checked address: whom to greet, and the machine to connect to."""

    scheme: str
    host: str
    port: int
    path: str
    ip: str

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == {"http": 80, "https": 443}[self.scheme] else f"{host}:{self.port}"


def check_url(url: str) -> SplitResult:
    """What can be said without asking a name server. Raises AddressRefused."""
    if len(url) > LONGEST_URL or any(not "!" <= letter <= "~" for letter in url):
        raise AddressRefused(f"Use an address of ASCII letters without spaces, {LONGEST_URL} at most.", field="url")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise AddressRefused(f"“{url[:80]}” is no address: {error}.", field="url") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise AddressRefused("The address must begin with https:// or http:// and name a machine.", field="url")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("Leave name and password out of the address: requests are signed.", field="url")
    if port == 0:
        raise AddressRefused("There is no port 0.", field="url")
    if _is_literal(host):
        _require_public(host, host)
    elif host.lower().rstrip(".") == "localhost" and not settings.NOTICES_PRIVATE_WEBHOOKS:
        raise AddressRefused(_why_not(host), field="url")
    return parts


def target_of(url: str) -> Target:
    """The machine behind an address. Raises AddressRefused, also where one of several machines is not public; OSError
    when the name cannot be looked up.
    """
    parts = check_url(url)
    host = parts.hostname or ""
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for ip in found:
        _require_public(ip, host)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, path, found[0])


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _require_public(ip: str, host: str) -> None:
    if not settings.NOTICES_PRIVATE_WEBHOOKS and not is_public(ip):
        raise AddressRefused(_why_not(host), field="url")


def _why_not(host: str) -> str:
    return (
        f"{host} is this machine or of a private network, and nothing is sent there. An operator can allow it with "
        "NOTICES_PRIVATE_WEBHOOKS."
    )


def is_public(text: str) -> bool:
    """Whether an IP address is of the open network, also where an IPv6 one stands for an IPv4 one."""
    ip = ip_address(text.partition("%")[0])
    inner = _inner(ip) if isinstance(ip, IPv6Address) else None
    if inner is not None:
        return is_public(str(inner))
    return ip.is_global and not ip.is_multicast


def _inner(ip: IPv6Address) -> IPv4Address | None:
    if ip in TRANSLATED:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
