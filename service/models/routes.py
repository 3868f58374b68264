"""GET /v1/models: models that can be named without a download."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from service.http.dependencies import CurrentSettings
from service.http.fields import Page
from service.models import store as models

router = APIRouter(prefix="/v1/models", tags=["models"])


class ModelOut(BaseModel):
    """A model by the name to use in requests."""

    id: str
    object: str = "model"
    origin: str  # "builtin", or "root": a folder under an allowed root


@router.get("", summary="Models at hand")
def list_models(settings: CurrentSettings) -> Page[ModelOut]:
    """Builtin ones whose package is installed, and folders with a model under the allowed roots."""
    data = [ModelOut(id=name, origin=origin) for name, origin in models.at_hand(settings)]
    return Page(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
    )
