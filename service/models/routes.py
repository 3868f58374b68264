"""/v1/models: models that can be named without a download, and those behind URLs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from fastapi import Response
from sqlalchemy import Connection

from inference.errors import ReportedError
from metrics.core.names import hint
from service.errors import ApiError, invalid, not_found
from service.http.bodies import BodyRoute
from service.http.dependencies import CurrentGate, CurrentSettings, Idempotent, Transaction
from service.http.fields import Page
from service.http.idempotency import Created
from service.http.router import Router
from service.models import keys, registered
from service.models import store as models
from service.models.registered import RegisteredRow
from service.models.schemas import (
    DeletedModelOut,
    ModelOffersOut,
    ModelOut,
    RegisteredModelIn,
    RegisteredModelPatch,
)
from service.models.views import view
from service.settings import Settings

router = Router(prefix="/v1/models", tags=["models"], route_class=BodyRoute)


@router.post("", status_code=201, summary="Register a model behind a URL")
def create_model(
    body: RegisteredModelIn,
    db: Transaction,
    settings: CurrentSettings,
    response: Response,
    key: Idempotent,
) -> ModelOut:
    """Its name then works wherever a model is chatted with. Nothing is called yet:
    `POST /v1/models/{name}/check` does that."""

    def create(db: Connection) -> Created[ModelOut]:
        _check_url(settings, body.url)
        values = {"name": body.name, "private": settings.private_urls_allowed}
        values |= _columns(settings, body.model_dump(), body)
        if models.lies_here(settings, body.name) or not registered.create(db, values):
            message = f"there is a model {body.name!r} already"
            raise ApiError(409, "model_exists", message, "name")
        return Created(view(_required(db, body.name)), 201)

    created = key.once(db, ModelOut, create)
    response.status_code = created.status
    return created.content


@router.get("", summary="Models at hand")
def list_models(db: Transaction, settings: CurrentSettings) -> Page[ModelOut]:
    """Builtin ones whose package is installed, folders with a model under the allowed roots,
    checkpoints, newest first, and registered ones."""
    behind_urls = {row.name: view(row) for row in registered.every(db)}
    data = [
        behind_urls.get(name) or ModelOut(id=name, origin=origin)
        for name, origin in models.at_hand(db, settings)
    ]
    return Page(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
    )


@router.get("/{model:path}", summary="One model")
def get_model(model: str, db: Transaction, settings: CurrentSettings) -> ModelOut:
    """Any that the list shows."""
    row = registered.find(db, model)
    if row is not None:
        return view(row)
    origin = models.usable(db, settings, model)
    if origin is None:
        known = [name for name, _ in models.at_hand(db, settings)]
        raise not_found("model", model[:200], hint(model, known) if known else "")
    return ModelOut(id=model, origin=origin)


@router.patch("/{model}", summary="Change a registered model")
def update_model(
    model: str, body: RegisteredModelPatch, db: Transaction, settings: CurrentSettings
) -> ModelOut:
    """What is given changes. While an evaluation or a job uses the model, what could change an
    answer (`url`, `model`, `extra_body`) may not: 409."""
    row = _required(db, model)
    given = {name: getattr(body, name) for name in body.model_fields_set}
    for name in ("url", "model", "limits", "timeout_s", "price", "extra_body"):
        if name in given and given[name] is None:
            raise invalid("missing", f"{name}: cannot be null", name)
    values = _columns(settings, given, body)
    if "url" in given:
        _check_url(settings, given["url"])
        values["private"] = settings.private_urls_allowed
        if row.key is not None and "api_key" not in given and _moved(row.url, given["url"]):
            message = "a key goes to no other host than it was given for: give `api_key` again"
            raise invalid("key_needed", message, "api_key")
    answers = {name: values[name] for name in ("url", "model", "extra_body") if name in values}
    if any(getattr(row, name) != value for name, value in answers.items()):
        _unused(db, model)
        values |= {"offers": None, "checked_at": None}
    registered.change(db, model, values)
    return view(_required(db, model))


@router.delete("/{model}", summary="Forget a registered model")
def delete_model(model: str, db: Transaction) -> DeletedModelOut:
    """409 while an evaluation, a job or an arena uses it. What it answered stays."""
    _required(db, model)
    _unused(db, model)
    registered.remove(db, model)
    return DeletedModelOut(id=model)


@router.post("/{model:path}/check", summary="Try a registered model")
def check_model(model: str, gate: CurrentGate, settings: CurrentSettings) -> ModelOffersOut:
    """Sends up to seven short requests and says what the server offers. 422 says why there is no
    answer: it cannot be reached, refuses the key, does not know the model."""
    from inference.remote import offers  # here, for the HTTP client is slow to load

    with gate.transaction() as db:
        if registered.find(db, model) is None and models.usable(db, settings, model) is not None:
            message = f"{model!r} runs here: there is no server to try"
            raise invalid("not_registered", message, "model")
        row = _required(db, model)
    try:
        found = offers.look(registered.opened(settings, row))
    except ReportedError as error:
        raise invalid(error.code, error.message, error.field or "model") from None
    with gate.transaction() as db:
        registered.checked(db, model, found.as_json())
    return ModelOffersOut.model_validate(found.as_json())


def _required(db: Connection, name: str) -> RegisteredRow:
    row = registered.find(db, name)
    if row is None:
        known = [one.name for one in registered.every(db)]
        nearest = hint(name, known) if known else "none has been registered: POST /v1/models"
        raise not_found("model", name[:200], nearest)
    return row


def _unused(db: Connection, name: str) -> None:
    user = registered.user(db, name)
    if user is not None:
        message = f"{user} uses the model {name!r} and has not ended: wait for it, or cancel it"
        if user.startswith("arena_"):
            message = f"{user} is an arena of the model {name!r}: delete it, or take another name"
        raise ApiError(409, "model_in_use", message, "model")


def _check_url(settings: Settings, url: str) -> None:
    from inference.remote.address import url_fault  # the same

    fault = url_fault(url, settings.private_urls_allowed)
    if fault is not None:
        raise invalid("bad_url", f"url: {fault}", "url")


def _moved(old: str, new: str) -> bool:
    return urlsplit(old)[:2] != urlsplit(new)[:2]


def _columns(
    settings: Settings, given: dict[str, Any], body: RegisteredModelIn | RegisteredModelPatch
) -> dict[str, Any]:
    """Columns of the fields that were given."""
    values: dict[str, Any] = {
        name: given[name] for name in ("url", "model", "timeout_s", "extra_body") if name in given
    }
    if "api_key" in given:
        key = body.api_key
        values["key"] = keys.sealed(settings, key) if key is not None else None
    if "api_key_env" in given:
        values["key_env"] = body.api_key_env
    if values.get("key") is not None:
        values["key_env"] = None
    elif values.get("key_env") is not None:
        values["key"] = None
    if "limits" in given and body.limits is not None:
        values |= body.limits.model_dump()
    if "price" in given and body.price is not None:
        values |= {"input_price": body.price.input, "output_price": body.price.output}
    return values
