"""The command `assay`. What a command needs is imported when it runs: `--help` is quick."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service import cli_results, cli_score
from service.terminal import fail, need_device, settings_of

if TYPE_CHECKING:
    from service.settings import Settings

app = typer.Typer(
    name="assay",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Scores you can defend: evaluate language models over HTTP, or right here.",
    epilog="Settings are environment variables, ASSAY_DATA_DIR, ASSAY_PORT and so on.",
)

DataDir = Annotated[
    Path | None,
    typer.Option(help="Results, models, the embedded database. [ASSAY_DATA_DIR, default .assay]"),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on. [ASSAY_HOST]")]
Port = Annotated[int | None, typer.Option(help="Port; 0 picks a free one. [ASSAY_PORT]")]
app.add_typer(cli_score.commands)
app.add_typer(cli_results.commands)


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and exit.", is_eager=True)
    ] = False,
) -> None:
    """Scores you can defend: evaluate language models over HTTP, or right here."""
    if version:
        from importlib.metadata import version as of

        typer.echo(f"assay {of('assay')}")
        raise typer.Exit


@app.command()
def serve(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    device: Annotated[
        list[str] | None,
        typer.Option(help="One worker each, repeatable; default: every GPU, else the CPU."),
    ] = None,
) -> None:
    """Run the whole service: database, API, workers.

    With no ASSAY_DATABASE_URL it brings a private PostgreSQL along, in the data folder.

    \b
    assay serve
    assay serve --port 9000 --data-dir /data/assay
    assay serve --device cuda:0 --device cuda:1
    """
    from service import logs
    from service.serve import supervisor
    from service.serve.postgres import PostgresError

    workers = ",".join(device) if device else None
    settings = settings_of(host=host, port=port, data_dir=data_dir, workers=workers)
    logs.configure(settings)
    try:
        supervisor.serve(settings, announce=typer.echo)
    except (supervisor.ServeError, PostgresError) as error:
        fail(str(error))


@app.command()
def api(host: Host = None, port: Port = None) -> None:
    """Run the HTTP API alone, on the database at ASSAY_DATABASE_URL."""
    from service.serve import api as process

    settings = settings_of(host=host, port=port)
    _need_database(settings)
    process.run(settings)


@app.command()
def worker(
    device: Annotated[str, typer.Option(help="cpu, or as torch names it: cuda:0")] = "cpu",
    queues: Annotated[str | None, typer.Option(help="Separated by commas: now,score,train")] = None,
) -> None:
    """Run one worker, on the database at ASSAY_DATABASE_URL.

    \b
    ASSAY_DATABASE_URL=postgresql://assay@db/assay assay worker --device cuda:0
    assay worker --queues now,score
    """
    settings = settings_of(worker_queues=queues)
    _need_database(settings)
    need_device(device)
    from service import logs
    from service.jobs.worker import main as work

    logs.configure(settings)
    raise typer.Exit(work(["--device", device, "--queues", settings.worker_queues]))


@app.command()
def migrate() -> None:
    """Bring the database at ASSAY_DATABASE_URL to the newest schema; harmless when it is."""
    settings = settings_of()
    _need_database(settings)
    from service.serve.supervisor import ServeError
    from service.serve.supervisor import migrate as bring

    try:
        bring(settings)
    except ServeError as error:
        fail(str(error))
    typer.echo("the database has the newest schema")


def _need_database(settings: Settings) -> None:
    if settings.embedded:
        fail(
            "ASSAY_DATABASE_URL is not set (postgresql://…); "
            "`assay serve` runs everything, with a database of its own"
        )


def main() -> None:
    """The console script."""
    try:
        app()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        typer.secho(f"assay: {error.filename or 'standard output'}: {error.strerror}", err=True)
        # what is left of the answer has no place: Python would try to write it at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
