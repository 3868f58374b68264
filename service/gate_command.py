"""`assay gate`: asks a running service for a verdict, for people and for CI."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.table import Table

from service.remote import RemoteError, ask, parsed

CODES = {"go": 0, "no_go": 1, "inconclusive": 2}
COLOURS = {"go": "green", "no_go": "red", "inconclusive": "yellow"}
HELD = 60.0  # seconds that the service holds one request back

Check = dict[str, Any]  # `CheckOut`, as JSON


def check(url: str, name: str, candidate: dict[str, str], wait: float) -> Check:
    """The check of a candidate, once it has a verdict. Raises RemoteError.

    candidate  {"evaluation" or "model" or "checkpoint": its name}
    wait       seconds, for one that has to be evaluated first
    """
    found = parsed(ask(url, "POST", f"/v1/gates/{quote(name, '')}/check", body=candidate), url)
    while found["verdict"] is None and found["error"] is None and wait > 0:
        held = min(wait, HELD)
        path = f"/v1/gates/{quote(found['gate'], '')}/checks/{found['id']}"
        headers = {"Prefer": f"wait={int(held)}"} if held >= 1 else {}
        found = parsed(ask(url, "GET", path, headers=headers), url)
        wait -= held
    if found["error"] is not None:
        raise RemoteError(found["error"]["message"])
    if found["verdict"] is None:
        raise RemoteError(f"{found['evaluation']} has not ended: its check is {found['id']}")
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


def _number(value: float | None, sign: str = "") -> str:
    return "" if value is None else f"{value:{sign}.4g}"


def _words(verdict: str) -> str:
    return verdict.replace("_", " ")
