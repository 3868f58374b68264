"""`assay gate`: asks a running service for a verdict, for people and for CI."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import httpx
from rich.console import Console
from rich.table import Table

CODES = {"go": 0, "no_go": 1, "inconclusive": 2}
FAILED = 3  # no verdict: the service cannot be reached, or refuses
COLOURS = {"go": "green", "no_go": "red", "inconclusive": "yellow"}
PATIENCE = 30.0  # seconds beyond the wait
HELD = 60.0  # seconds that the service holds one request back

Check = dict[str, Any]  # `CheckOut`, as JSON


class GateError(Exception):
    """Why there is no verdict, in words for people."""


def check(url: str, name: str, candidate: dict[str, str], wait: float) -> Check:
    """The check of a candidate, once it has a verdict. Raises GateError.

    candidate  {"evaluation" or "model" or "checkpoint": its name}
    wait       seconds, for one that has to be evaluated first
    """
    with httpx.Client(base_url=url, timeout=PATIENCE + HELD) as http:
        found = _asked(http, "POST", f"/v1/gates/{quote(name, safe='')}/check", candidate)
        while found["verdict"] is None and found["error"] is None and wait > 0:
            held = min(wait, HELD)
            path = f"/v1/gates/{quote(found['gate'], safe='')}/checks/{found['id']}"
            found = _asked(http, "GET", path, wait=held)
            wait -= held
    if found["error"] is not None:
        raise GateError(found["error"]["message"])
    if found["verdict"] is None:
        raise GateError(f"{found['evaluation']} has not ended: its check is {found['id']}")
    return found


def show(found: Check, console: Console) -> None:
    """A table of the rules, then the verdict."""
    table = Table("rule", "baseline", "candidate", "difference", "interval", "allowed", "verdict")
    for rule in found["rules"]:
        name = rule["score"] + (f" ({rule['slice']})" if rule["slice"] else "")
        if rule["tier"] != "critical":
            name += f", {rule['tier']}"
        ends = rule["interval"]
        table.add_row(
            name,
            _number(rule["baseline"]),
            _number(rule["candidate"]),
            _number(rule["difference"], "+"),
            f"{_number(ends[0], '+')} … {_number(ends[1], '+')}" if ends else "",
            _number(-rule["margin"], "+") if rule["margin"] is not None else "",
            f"[{COLOURS[rule['verdict']]}]{_words(rule['verdict'])}",
        )
    console.print(table)
    for rule in found["rules"]:
        for said in (rule["error"], rule["note"]):
            if said:
                console.print(f"{rule['score']}: {said}", markup=False)
    for note in found["notes"]:
        console.print(note, markup=False)
    verdict = found["verdict"]
    line = f"{found['gate']}@{found['version']}: {found['system']} ({found['evaluation']}) "
    line += f"against {found['baseline']}"
    console.print(line, markup=False, soft_wrap=True)
    console.print(f"[bold {COLOURS[verdict]}]{_words(verdict).upper()}")
    if verdict == "inconclusive" and found["samples_to_settle"]:
        console.print(f"about {found['samples_to_settle']:,} more samples would settle it")


def as_json(found: Check) -> str:
    """The check, as the service answered."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def _asked(
    http: httpx.Client,
    method: str,
    path: str,
    body: dict[str, str] | None = None,
    wait: float = 0.0,
) -> Check:
    headers = {"Prefer": f"wait={int(wait)}"} if wait >= 1 else {}
    try:
        answer = http.request(method, path, json=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise GateError(f"{http.base_url} cannot be reached: {error}") from None
    try:
        content: Any = answer.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise GateError(f"{answer.url} is no Assay service: it answers {answer.status_code}")
    if answer.status_code >= 400:
        refused = content.get("error", {})
        raise GateError(str(refused.get("message", f"status {answer.status_code}")))
    return content


def _number(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.4g}"


def _words(verdict: str) -> str:
    return verdict.replace("_", " ")
