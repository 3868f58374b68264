"""/v1/gates: may this system replace that one?"""

from __future__ import annotations

from typing import Annotated

from fastapi import Header, Query, Response
from sqlalchemy import Connection

from service.errors import not_found
from service.gates import store as gates
from service.gates.admission import admit_check, admit_gate
from service.gates.schemas import CheckIn, CheckOut, GateIn, GateOut
from service.gates.store import Check
from service.gates.views import check_view, view
from service.http.addresses import address
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Idempotent, Transaction
from service.http.fields import Limit, Order, Page, page
from service.http.gate import Gate as HttpGate
from service.http.idempotency import Created
from service.http.router import Router
from service.http.waiting import preferred_wait, until

router = Router(prefix="/v1/gates", tags=["gates"], route_class=BodyRoute)


@router.post(
    "",
    status_code=201,
    responses={200: {"model": GateOut, "description": "There is such a version already"}},
    summary="Create a gate, or a new version of one",
)
def create_gate(
    body: GateIn,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
) -> GateOut:
    """Rules on when a system may replace the baseline. Every score, slice and field that it names
    is looked up in the baseline's evaluation first."""

    def create(db: Connection) -> Created[GateOut]:
        gate, new = admit_gate(db, settings, body)
        return Created(view(gate), 201 if new else 200)

    return key.once(db, GateOut, create).sent(response)


@router.get("", summary="List gates")
def list_gates(
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Order = "desc",
) -> Page[GateOut]:
    """The newest version of each."""
    rows = gates.page(db, after=after, limit=limit + 1, descending=order == "desc")
    return page([view(one) for one in rows], limit)


@router.get("/{gate}", summary="One gate")
def get_gate(gate: str, db: Transaction) -> GateOut:
    """Its newest version, or that of `name@version`."""
    return view(gates.require(db, gate))


@router.post(
    "/{gate}/check",
    status_code=200,
    responses={202: {"model": CheckOut, "description": "The candidate is being evaluated"}},
    summary="May this candidate replace the baseline?",
)
async def check_gate(
    gate: str,
    body: CheckIn,
    response: Response,
    http: CurrentGate,
    settings: CurrentSettings,
    key: Idempotent,
    prefer: Annotated[str | None, Header()] = None,
) -> CheckOut:
    """The verdict with each rule's. A model or checkpoint without an evaluation on the dataset is
    evaluated first: 202, or 200 where `Prefer: wait=60` was long enough."""

    def create(db: Connection) -> Created[CheckOut]:
        id = admit_check(db, settings, gates.require(db, gate), body)
        shown = check_view(_existing(db, gate, id))
        return Created(shown, 200 if shown.verdict is not None else 202)

    created = await http.run(lambda db: key.once(db, CheckOut, create))
    shown = created.sent(response)
    response.headers["Location"] = address("v1", "gates", shown.gate, "checks", shown.id)
    return await _waited(http, response, shown, preferred_wait(prefer))


@router.get("/{gate}/checks", summary="What a gate said before")
def list_checks(
    gate: str,
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Order = "desc",
) -> Page[CheckOut]:
    """Checks of all the gate's versions, newest first."""
    name = gates.require(db, gate).name
    rows = gates.checks(db, name, after=after, limit=limit + 1, descending=order == "desc")
    return page([check_view(one) for one in rows], limit)


@router.get("/{gate}/checks/{check}", summary="One check")
async def get_check(
    gate: str,
    check: str,
    response: Response,
    http: CurrentGate,
    prefer: Annotated[str | None, Header()] = None,
) -> CheckOut:
    """With `Prefer: wait=60`, answers once the candidate's evaluation has ended."""
    shown = await http.run(lambda db: check_view(_existing(db, gate, check)))
    response.status_code = 200
    return await _waited(http, response, shown, preferred_wait(prefer))


async def _waited(http: HttpGate, response: Response, shown: CheckOut, wait: float) -> CheckOut:
    """The check once it has a verdict, with status 200, or as it is when the time is up."""
    if not wait or shown.verdict is not None or shown.error is not None:
        return shown

    def ended(db: Connection) -> bool:
        row = gates.get_check(db, shown.id)
        return row is None or row.verdict is not None or row.error is not None

    if await until(http, shown.evaluation, ended, wait):
        response.status_code = 200
    return await http.run(lambda db: check_view(_existing(db, shown.gate, shown.id)))


def _existing(db: Connection, gate: str, id: str) -> Check:
    found = gates.get_check(db, id)
    if found is None or found.gate not in {gate, gate.rpartition("@")[0]}:
        raise not_found("check", id)
    return found
