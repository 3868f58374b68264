"""/v1/calibrations: a metric's score on people's scale."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Response
from sqlalchemy import Connection

from service.calibrations import store as calibrations
from service.calibrations.admission import admit
from service.calibrations.schemas import CalibrationIn, CalibrationOut
from service.calibrations.views import view
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentSettings, Idempotent, Transaction
from service.http.fields import Limit, Order, Page, page
from service.http.idempotency import Created
from service.http.router import Router

router = Router(prefix="/v1/calibrations", tags=["calibrations"], route_class=BodyRoute)


@router.post(
    "",
    status_code=201,
    responses={200: {"model": CalibrationOut, "description": "There is such a version already"}},
    summary="Fit a score to people's ratings",
)
def create_calibration(
    body: CalibrationIn,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
) -> CalibrationOut:
    """A function from a score's values of samples to ratings, chosen by cross-validation. It is
    then a metric: `{"name": "calibrated", "params": {"calibration": "name"}}`."""

    def create(db: Connection) -> Created[CalibrationOut]:
        made, new = admit(db, settings, body)
        return Created(view(made), 201 if new else 200)

    return key.once(db, CalibrationOut, create).sent(response)


@router.get("", summary="List calibrations")
def list_calibrations(
    db: Transaction,
    after: str | None = None,
    limit: Annotated[Limit, Query()] = 20,
    order: Order = "desc",
) -> Page[CalibrationOut]:
    """The newest version of each."""
    rows = calibrations.page(db, after=after, limit=limit + 1, descending=order == "desc")
    return page([view(one) for one in rows], limit)


@router.get("/{calibration}", summary="One calibration")
def get_calibration(calibration: str, db: Transaction) -> CalibrationOut:
    """Its newest version, or that of `name@version`."""
    return view(calibrations.require(db, calibration))
