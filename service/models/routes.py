"""GET /v1/models: models that can be named without a download."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from inference.errors import ReportedError
from inference.names import BUILTIN, locate
from service.http.dependencies import CurrentSettings
from service.http.fields import Page

router = APIRouter(prefix="/v1/models", tags=["models"])


class ModelOut(BaseModel):
    id: str
    object: str = "model"
    origin: str  # "builtin", or "root": a folder under an allowed root


@router.get("", summary="Models at hand")
def list_models(settings: CurrentSettings) -> Page[ModelOut]:
    """Builtin ones whose package is installed, and folders with a model under the allowed roots."""
    names = [(name, "builtin") for name in BUILTIN]
    for root in settings.model_roots:
        names += [(found.parent.name, "root") for found in sorted(root.glob("*/config.json"))]
    data = []
    for name, origin in names:
        try:
            locate(name, settings.model_roots)
        except ReportedError:
            continue
        data.append(ModelOut(id=name, origin=origin))
    return Page(
        data=data,
        first_id=data[0].id if data else None,
        last_id=data[-1].id if data else None,
    )
