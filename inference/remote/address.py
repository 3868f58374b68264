"""Addresses that may be called: checked when a URL is registered, and again at each connection.

The second check is the one that holds: a name may lead elsewhere by then. A connection is made to
the very address that was checked, so no second look-up can lead past it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from inference.remote.errors import AddressRefused

Address = IPv4Address | IPv6Address

METADATA = {  # of clouds, beside the link-local ones
    ip_address("100.100.100.200"),
    ip_address("168.63.129.16"),
    ip_address("192.0.0.192"),
    ip_address("fd00:ec2::254"),
    ip_address("fd20:ce::254"),
}
NAT64 = IPv6Network("64:ff9b::/96")
LONGEST_URL = 2000
CONNECTIONS_KEPT_S = 30.0


def url_fault(url: str, private: bool) -> str | None:
    """Why no model may be registered at this URL; None where one may.

    private  may the address be private or loopback
    """
    if len(url) > LONGEST_URL:
        return f"is longer than {LONGEST_URL} characters"
    if any(ord(one) <= ord(" ") or ord(one) == 127 for one in url):  # parsers disagree on them
        return "holds a space or a control character"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        known = httpx.URL(url).host
    except (ValueError, httpx.InvalidURL):
        return "is no URL: write it like https://api.example.org/v1"
    faults = {
        "must begin with http:// or https://": parts.scheme not in {"http", "https"},
        "names no host: write it like https://api.example.org/v1": not host or not known,
        "holds a name or password: give the key as `api_key`": "@" in parts.netloc,
        "must end before `?` and `#`": "?" in url or "#" in url,
        "must be what comes before /chat/completions, like https://api.example.org/v1": (
            parts.path.rstrip("/").endswith("/completions")
        ),
    }
    fault = next((fault for fault, there in faults.items() if there), None)
    literal = _literal(known)
    if fault is None and literal is not None:
        fault = address_fault(literal, private)
    return fault


def address_fault(address: Address, private: bool) -> str | None:
    """Why this address may not be called; None where it may."""
    if isinstance(address, IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return address_fault(inner, private)
    if address in METADATA or address.is_link_local:
        return "is a link-local or metadata address, which are never called"
    if address.is_multicast or address.is_unspecified:
        return "is a multicast or unspecified address, which are never called"
    if isinstance(address, IPv4Address) and (
        address.is_reserved or address.packed[0] == 0  # this network, and what is kept for later
    ):
        return "is a reserved address, which are never called"
    if not private and not address.is_global:
        return (
            "is a private or loopback address; ASSAY_PRIVATE_URLS=true allows such, and they are "
            "allowed where the service itself listens on loopback"
        )
    return None


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Looks a name up, checks what it leads to, and connects to just that."""

    def __init__(self, private: bool) -> None:
        self.private = private
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address that may be called and answers.

        Raises AddressRefused where none may be called.
        """
        try:
            async with asyncio.timeout(timeout):
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, port, type=socket.SOCK_STREAM
                )
        except TimeoutError:
            raise httpcore.ConnectTimeout("its name could not be looked up in time") from None
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("its name leads to no address") from None
        addresses = list(dict.fromkeys(ip_address(one[4][0]) for one in found))
        faults = {address: address_fault(address, self.private) for address in addresses}
        allowed = [str(address) for address in addresses if faults[address] is None]
        if not allowed:
            fault = next((fault for fault in faults.values() if fault), "leads to no address")
            raise AddressRefused(f"the URL's host {host[:100]!r} {fault}", "url")
        for address in allowed[:-1]:
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(
            allowed[-1], port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """No URL leads to a socket on disk."""
        raise AddressRefused("only http:// and https:// URLs are called", "url")

    async def sleep(self, seconds: float) -> None:
        """As the event loop does."""
        await asyncio.sleep(seconds)


class CheckedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, whose connections lead to checked addresses alone."""

    def __init__(self, private: bool, connections: int) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=ssl_context(),
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=CONNECTIONS_KEPT_S,
            network_backend=CheckedBackend(private),
        )


@lru_cache
def ssl_context() -> ssl.SSLContext:
    """Takes a certificate authority of the user's own from the environment; slow to make."""
    return httpx.create_ssl_context(trust_env=True)


def checked_client(
    private: bool, connections: int = 10, headers: dict[str, str] | None = None
) -> httpx.AsyncClient:
    """A client that follows no redirect and takes no proxy from the environment."""
    return httpx.AsyncClient(
        transport=CheckedTransport(private, connections),
        headers=headers,
        follow_redirects=False,
        trust_env=False,
    )


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _inner(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that this one stands for, if it does."""
    if address in NAT64:
        return IPv4Address(address.packed[-4:])
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
