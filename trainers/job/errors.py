"""Why training cannot go on."""

from __future__ import annotations


class TrainingError(Exception):
    """Training cannot go on; `code` and message are for the user, `field` names an option."""

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
