"""Parameters that whoever runs a service holds lower than their schema does (`up_to`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metrics.core.metric import BoundMetric


def exceeded(metric: BoundMetric, ceilings: Mapping[str, int]) -> tuple[str, str] | None:
    """The first parameter above its ceiling, and a sentence with the numbers; None: none is.

    ceilings  the most of each setting a parameter may name; one that is lacking bounds nothing
    """
    for name, field in type(metric.params).model_fields.items():
        extra = field.json_schema_extra
        setting = extra.get("ceiling") if isinstance(extra, dict) else None
        value, most = getattr(metric.params, name), ceilings.get(str(setting))
        if most is not None and value > most:
            whence = "" if name in metric.params.model_fields_set else ", the default"
            allowed = f"this service allows {most} at most (ASSAY_{str(setting).upper()})"
            return name, f"{name} is {value}{whence}, and {allowed}"
    return None


def lowered(schema: dict[str, Any], ceilings: Mapping[str, int]) -> dict[str, Any]:
    """A JSON Schema of parameters whose `maximum` is no higher than its ceiling."""
    properties = {
        name: told | {"maximum": min(told["maximum"], ceilings[told["ceiling"]])}
        if told.get("ceiling") in ceilings and "maximum" in told
        else told
        for name, told in schema.get("properties", {}).items()
    }
    return schema | {"properties": properties}
