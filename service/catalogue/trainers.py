"""GET /v1/trainers: the methods, straight from their declarations."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import BaseModel

import trainers
from inference.errors import InputError
from service.errors import ApiError
from service.http.fields import Page
from service.http.router import Router
from trainers.job.declaration import AnyTrainer

router = Router(prefix="/v1/trainers", tags=["training"])


class TrainerOut(BaseModel):
    """A method: what it minimises, what it trains on, and the JSON Schema of its options."""

    id: str
    object: str = "trainer"
    about: str
    objective: str
    paper: str
    kind: str
    produces: str
    options: dict[str, Any]
    conventions: str


@router.get("", summary="All methods")
def list_trainers() -> Page[TrainerOut]:
    """Every method, with the JSON Schema of its options."""
    found = [describe(trainer) for trainer in trainers.catalogue().values()]
    return Page(
        data=found,
        first_id=found[0].id if found else None,
        last_id=found[-1].id if found else None,
    )


@router.get("/{name}", summary="One method")
def get_trainer(name: str) -> TrainerOut:
    """One method by name."""
    try:
        return describe(trainers.find(name))
    except InputError as error:
        raise ApiError(404, error.code, error.message, "name") from None


def describe(trainer: AnyTrainer) -> TrainerOut:
    """A trainer's declaration as it is shown."""
    module = sys.modules.get(trainer.train.__module__)
    return TrainerOut(
        id=trainer.name,
        about=trainer.about,
        objective=trainer.objective,
        paper=trainer.paper,
        kind=trainer.kind,
        produces=trainer.produces,
        options=trainer.options.model_json_schema(),
        conventions=(module.__doc__ or "").strip() if module else "",
    )
