"""Why training cannot go on, or a trainer cannot be had."""

from __future__ import annotations

from inference.errors import ReportedError


class TrainingError(Exception):
    """Training cannot go on; `code` and message are for the user, `field` names an option."""

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field

    def __reduce__(self) -> tuple[type[TrainingError], tuple[str, str, str | None]]:
        return TrainingError, (self.code, self.message, self.field)  # it crosses processes


class TrainerError(ReportedError):
    """A trainer of an installed distribution cannot be used; the message names the distribution."""

    code = "invalid_trainer"
