"""Which addresses may be called: checked where the connection is made."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

import httpx
import pytest

from inference.remote.address import address_fault, checked_client, url_fault
from inference.remote.errors import AddressRefused
from tests.faulty_server import faulty_server

NEVER = [
    "169.254.169.254",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "fe80::1",
    "fd00:ec2::254",
    "ff02::1",
    "::",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]
PRIVATE = ["127.0.0.1", "::1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12::1"]
PUBLIC = ["8.8.8.8", "2606:4700::1111"]


@pytest.mark.parametrize("address", NEVER)
def test_some_addresses_are_never_called(address: str) -> None:
    assert address_fault(ip_address(address), private=True) is not None


@pytest.mark.parametrize("address", [*PRIVATE, "::ffff:10.0.0.1", "64:ff9b::7f00:1"])
def test_private_ones_where_they_are_allowed(address: str) -> None:
    assert address_fault(ip_address(address), private=True) is None
    assert address_fault(ip_address(address), private=False) is not None


@pytest.mark.parametrize("address", PUBLIC)
def test_public_ones_always(address: str) -> None:
    assert address_fault(ip_address(address), private=False) is None


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "http"),
        ("gopher://example.org", "http"),
        ("http://", "names no host"),
        ("https:///v1", "names no host"),
        ("http://a:b@example.org", "api_key"),
        ("http://example.org/v1?key=x", "must end before"),
        ("http://example.org/v1#x", "must end before"),
        ("http://example.org/v1/chat/completions/", "comes before"),
        ("http://exa mple.org", "space"),
        ("http://example.org\r\nHost: x", "space"),
        ("http://example.org:99999", "no URL"),
        ("http://[::1", "no URL"),
        ("http://" + "a" * 3000, "longer"),
        ("http://[fe80::1]/v1", "never called"),
        ("http://192.168.0.1/v1", "private"),
    ],
)
def test_what_is_wrong_with_a_url_is_said(url: str, said: str) -> None:
    assert said in (url_fault(url, private=False) or "")


def test_names_are_for_the_connection_to_check() -> None:
    assert url_fault("https://api.example.org/v1", private=False) is None
    assert url_fault("http://localhost:8000/v1", private=False) is None
    assert url_fault("http://пример.испытание/v1", private=False) is None


def get(url: str, private: bool) -> int:
    async def ask() -> int:
        async with checked_client(private) as client:
            return (
                await client.post(url, json={"model": "x", "messages": [{"content": "hello"}]})
            ).status_code

    return asyncio.run(ask())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1"])
def test_a_name_that_leads_here_is_refused(host: str) -> None:
    with faulty_server() as server:
        url = server.url.replace("127.0.0.1", host)
        with pytest.raises(AddressRefused, match="private or loopback"):
            get(f"{url}/chat/completions", private=False)
        assert not server.asked


def test_a_name_is_looked_up_once_and_what_was_checked_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that leads to a fine address at first, and to a private one after it was checked."""
    looked_up = []

    def rebinding(host: str, port: int, *_: object, **__: object) -> list[object]:
        looked_up.append(host)
        address = "127.0.0.1" if len(looked_up) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    with faulty_server() as server:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding)
        url = server.url.replace("127.0.0.1", "rebinding.example")
        server.plan = ["html"]
        assert get(f"{url}/chat/completions", private=True) == 200
        assert looked_up == ["rebinding.example"]
        assert server.asked[0].headers["host"].startswith("rebinding.example")
        with pytest.raises(AddressRefused, match="never called"):
            get(f"{url}/chat/completions", private=True)


def test_no_redirect_and_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with faulty_server(plan=["moved"]) as server:
        assert get(f"{server.url}/chat/completions", private=True) == httpx.codes.TEMPORARY_REDIRECT
        assert len(server.asked) == 1
