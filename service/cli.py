"""The command `assay`. What a command needs is imported when it runs: `--help` is quick."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

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

NO_BARS = {"TQDM_DISABLE": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}  # of libraries: ours says it

DataDir = Annotated[
    Path | None,
    typer.Option(help="Results, models, the embedded database. [ASSAY_DATA_DIR, default .assay]"),
]
Host = Annotated[str | None, typer.Option(help="Address to listen on. [ASSAY_HOST]")]
Port = Annotated[int | None, typer.Option(help="Port; 0 picks a free one. [ASSAY_PORT]")]
Url = Annotated[str, typer.Option(help="Where the service listens.")]
Form = Annotated[
    Literal["table", "json", "csv", "md", "latex", "parquet", "svg"],
    typer.Option("--format", "-f", help="A table to look at, or a form to take along."),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="A file for it; default: standard output.")
]


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
    settings = _settings(host=host, port=port, data_dir=data_dir, workers=workers)
    logs.configure(settings)
    try:
        supervisor.serve(settings, announce=typer.echo)
    except (supervisor.ServeError, PostgresError) as error:
        _fail(str(error))


@app.command()
def api(host: Host = None, port: Port = None) -> None:
    """Run the HTTP API alone, on the database at ASSAY_DATABASE_URL."""
    from service.serve import api as process

    settings = _settings(host=host, port=port)
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
    settings = _settings(worker_queues=queues)
    _need_database(settings)
    _need_device(device)
    from service import logs
    from service.jobs.worker import main as work

    logs.configure(settings)
    raise typer.Exit(work(["--device", device, "--queues", settings.worker_queues]))


@app.command()
def migrate() -> None:
    """Bring the database at ASSAY_DATABASE_URL to the newest schema; harmless when it is."""
    settings = _settings()
    _need_database(settings)
    from service.serve.supervisor import ServeError
    from service.serve.supervisor import migrate as bring

    try:
        bring(settings)
    except ServeError as error:
        _fail(str(error))
    typer.echo("the database has the newest schema")


@app.command()
def score(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="JSONL, a sample a line: id, prompt, output or outputs, references, tests, "
            "metadata. `-` is standard input.",
        ),
    ],
    metrics: Annotated[str, typer.Option("--metrics", "-m", help="Separated by commas.")],
    params: Annotated[str, typer.Option(help='JSON: {"metric": {"param": value}}')] = "",
    form: Annotated[
        Literal["table", "json"], typer.Option("--format", "-f", help="What to print.")
    ] = "table",
    device: Annotated[str, typer.Option(help="Where models run: cpu, cuda:0")] = "cpu",
) -> None:
    """Score a file without a server: the same metrics, intervals and signatures.

    \b
    assay score outputs.jsonl --metrics bleu,rouge
    assay score outputs.jsonl -m rouge --params '{"rouge": {"stemmer": true}}'
    cat outputs.jsonl | assay score - -m chrf --format json

    Models that have to be converted are kept in ASSAY_DATA_DIR where that is set.
    """
    settings = _settings()
    _need_device(device)
    os.environ.update(NO_BARS)  # before the libraries that draw them are imported
    from rich.console import Console

    from inference.errors import ReportedError
    from service import logs, score_file

    logs.configure(settings.model_copy(update={"log_level": "ERROR"}))
    try:
        asked = score_file.requests(metrics, params, (Path.cwd(), *settings.metric_roots))
        samples = score_file.read(file)
        results = score_file.run(samples, asked, settings, device)
    except ReportedError as error:
        _fail(error.message)
    if form == "json":
        typer.echo(score_file.as_json(asked, results, len(samples)))
    else:
        score_file.show(asked, results, Console())
    if score_file.failed(results):
        raise typer.Exit(1)


@app.command()
def board(
    dataset: Annotated[str, typer.Argument(help="A name, name@version or ds_…")],
    metric: Annotated[str, typer.Argument(help="A score's name, as rougeL")],
    slice_: Annotated[str | None, typer.Option("--slice", help="As lang=ru")] = None,
    url: Url = "http://127.0.0.1:8000",
    form: Form = "table",
    output: Output = None,
) -> None:
    """Show a leaderboard of a running service, its intervals as bars.

    \b
    assay board news chrf
    assay board news@1 chrf --slice lang=ru --url http://scores.internal:8000
    assay board news chrf --format latex --output board.tex
    """
    from service import show
    from service.remote import RemoteError

    try:
        show.board(url, dataset, metric, slice_, form, output)
    except RemoteError as error:
        _fail(str(error))


@app.command()
def compare(
    evaluations: Annotated[list[str], typer.Argument(metavar="EVAL EVAL…", help="Their ids.")],
    metrics: Annotated[
        str, typer.Option("--metrics", "-m", help="Metrics or scores, separated by commas.")
    ] = "",
    test: Annotated[str | None, typer.Option(help="As paired_bootstrap.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Of several, the one that each is compared with.")
    ] = None,
    url: Url = "http://127.0.0.1:8000",
    form: Form = "table",
    output: Output = None,
) -> None:
    """Compare evaluations of a running service, score by score.

    \b
    assay compare eval_… eval_…
    assay compare eval_… eval_… -m chrf,bleu --format md
    """
    from service import show
    from service.remote import RemoteError

    names = [name.strip() for name in metrics.split(",") if name.strip()]
    try:
        show.compare(url, evaluations, names, test, baseline, form, output)
    except RemoteError as error:
        _fail(str(error))


@app.command()
def verify(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What GET /v1/evaluations/ID/archive gave.")
    ],
    sample: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the samples to measure again.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(min=0, help="Of the samples that are drawn.")] = 0,
    run_code: Annotated[
        bool, typer.Option("--run-code", help="Run the outputs' programs, in the sandbox.")
    ] = False,
    form: Annotated[
        Literal["table", "json"], typer.Option("--format", "-f", help="What to print.")
    ] = "table",
) -> None:
    """Compute every number of an archive again, without a server; exits with 1 if one differs.

    \b
    assay verify eval.zip
    assay verify eval.zip --sample 1 --format json
    """
    settings = _settings()
    from rich.console import Console

    from inference.errors import ReportedError
    from metrics.core.verification import Options
    from service import archive_file

    options = Options(fraction=sample, seed=seed, run_code=run_code)
    try:
        found = archive_file.check(file, options, (Path.cwd(), *settings.metric_roots))
    except ReportedError as error:
        _fail(error.message)
    if form == "json":
        typer.echo(archive_file.as_json(found))
    else:
        archive_file.show(found, Console())
    if not found.sound:
        raise typer.Exit(1)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An archive of an evaluation.")],
    url: Annotated[
        str | None, typer.Option(help="Where the service listens. [ASSAY_HOST, ASSAY_PORT]")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="To store the records under; default: as they were.")
    ] = None,
) -> None:
    """Load a file into a running service, and print the evaluation's id.

    \b
    assay import eval.zip
    assay import eval.zip --url http://assay.example.org --dataset news-ru
    """
    settings = _settings()
    from inference.errors import ReportedError
    from service import import_file

    where = url or f"http://{settings.host}:{settings.port}"
    try:
        found = import_file.send(file, where, {"dataset": dataset})
    except ReportedError as error:
        _fail(error.message)
    typer.echo(found["id"])


def _settings(**given: Any) -> Settings:
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
        _fail(f"{name}: {first['msg']}")


def _need_database(settings: Settings) -> None:
    if settings.embedded:
        _fail(
            "ASSAY_DATABASE_URL is not set (postgresql://…); "
            "`assay serve` runs everything, with a database of its own"
        )


def _need_device(device: str) -> None:
    from service.serve.devices import UnknownDevice, check

    try:
        check([device])
    except UnknownDevice as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.secho(f"assay: {message}", err=True, fg=typer.colors.RED)
    raise typer.Exit(1)


def main() -> None:
    """The console script."""
    app()


if __name__ == "__main__":
    main()
