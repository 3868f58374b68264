"""What parameters of metrics are made of."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Params(BaseModel):
    """Base of every metric's parameters: frozen, nothing unknown, all of it in the signature."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def settle_only(default: Any, **constraints: Any) -> Any:
    """A parameter that `measure` never looks at: changing it re-uses the stored evidence."""
    return Field(default, json_schema_extra={"stage": "settle"}, **constraints)


def up_to(setting: str, default: Any, **constraints: Any) -> Any:
    """A parameter that whoever runs a service may hold lower than its schema does.

    setting  the service's, which has the most that a request may ask for: "sandbox_timeout_s"
    """
    return Field(default, json_schema_extra={"ceiling": setting}, **constraints)
