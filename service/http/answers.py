"""Answers that routes may give beside their own, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

Answers = dict[int | str, dict[str, Any]]

RETRY_AFTER = {"description": "seconds until it is worth another try", "schema": {"type": "string"}}

# by its name: as a model it would be built for every route. /readyz has it as one, once
ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorOut"}}}
ERRORS: Answers = {
    "4XX": {"content": ERROR, "description": "The request is at fault"},
    422: {"content": ERROR, "description": "The request is well-formed, and wrong"},
    503: {
        "content": ERROR,
        "description": "No database, no room on a disk, or no worker that answers in time",
        "headers": {"Retry-After": RETRY_AFTER},
    },
}

# a schema of server-sent events is that of a single one
EVENT = {"type": "object", "properties": {"data": {"type": "string"}}, "required": ["data"]}
STREAMED: Answers = {200: {"content": {"text/event-stream": {"schema": EVENT}}}}
