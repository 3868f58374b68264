"""What web pages may ask: a browser on the machine reaches a loopback service, whoever's page it
shows."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from service.http.refusals import refuse
from service.settings import Settings

READING = {"GET", "HEAD", "OPTIONS"}
# zones that no stranger can register a name in
PRIVATE = ("localhost", ".localhost", ".internal")


class Origins:
    """403 for a host that is not trusted (a page of a stranger whose name was made to point here),
    and for what pages of other origins ask to be changed. Programs send neither `Origin` nor
    `Sec-Fetch-Site`, and are let through."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.listed = {name.lower() for name in settings.trusted_hosts}
        self.bound = settings.host.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
            host = headers.get(b"host", "")
            if host and not self._trusted(host):
                message = f"the host {host!r} is not trusted: add it to ASSAY_TRUSTED_HOSTS"
                await refuse(send, 403, "untrusted_host", message)
                return
            if scope["method"] not in READING and self._foreign(headers, host):
                message = "a web page of another origin may not change anything here"
                await refuse(send, 403, "cross_site_request", message)
                return
        await self.app(scope, receive, send)

    def _trusted(self, host: str) -> bool:
        """Whether `host` is listed, bound to, or nothing that a stranger's name could be."""
        name = _name(host)
        if "*" in self.listed or name == self.bound or self._is_listed(name):
            return True
        return bool(name) and ("." not in name or _is_address(name) or name.endswith(PRIVATE))

    def _is_listed(self, name: str) -> bool:
        zones = (one[1:] for one in self.listed if one.startswith("*."))
        return name in self.listed or any(name.endswith(zone) for zone in zones)

    def _foreign(self, headers: dict[bytes, str], host: str) -> bool:
        """Whether a page of another origin asks; one that is listed counts as ours."""
        site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
        if site in {"same-origin", "none"} or (site is None and origin is None):
            return False
        if origin is not None and self._is_listed(_name(origin.partition("://")[2])):
            return False
        return site is not None or origin not in {f"http://{host}", f"https://{host}"}


def _name(host: str) -> str:
    """`host` without its port, in small letters; empty for what is no host."""
    try:
        return "" if "@" in host else (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
