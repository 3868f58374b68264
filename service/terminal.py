"""What commands share: settings with what was typed over them, and how they speak."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

if TYPE_CHECKING:
    from service.settings import Settings

NO_VERDICT = 3  # exit of a command whose 0, 1 and 2 are verdicts: it cannot be told one
Cluster = Annotated[
    str | None, typer.Option(help="Metadata field, or prompt: samples that belong together.")
]


class VerdictCommand(TyperCommand):
    """A command whose exits are verdicts: what was typed wrong ends it with `NO_VERDICT`, where
    others have 2."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """The context, of arguments that are understood. Raises TyperException for others."""
        try:
            return super().make_context(*args, **kwargs)
        except typer.TyperException as error:
            error.exit_code = NO_VERDICT
            raise


def settings_of(**given: Any) -> Settings:
    """Settings from the environment, and over them what was given on the command line."""
    from pydantic import ValidationError

    from service.settings import get_settings

    chosen = {name: value for name, value in given.items() if value is not None}
    os.environ.update({f"ASSAY_{name.upper()}": str(value) for name, value in chosen.items()})
    get_settings.cache_clear()
    try:
        return get_settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = f"ASSAY_{'_'.join(str(part) for part in first['loc'])}".upper()
        fail(f"{name}: {first['msg']}")


def say(message: str) -> None:
    """A sentence beside the answer."""
    typer.echo(f"assay: {message}", err=True)


def fail(message: str, status: int = 1) -> NoReturn:
    """Ends the command with a sentence of what is wrong."""
    typer.secho(f"assay: {message}", err=True, fg=typer.colors.RED)
    raise typer.Exit(status)


def need_device(device: str) -> None:
    """Ends the command where the machine has no such device."""
    from service.serve.devices import UnknownDevice, check

    try:
        check([device])
    except UnknownDevice as error:
        fail(str(error))
