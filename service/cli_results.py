"""Commands for results that a running service has, and for their archives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from service.terminal import NO_VERDICT, Cluster, VerdictCommand, fail, settings_of

commands = typer.Typer()

HERE = "http://127.0.0.1:8000"
Url = Annotated[str, typer.Option(envvar="ASSAY_URL", help="Where the service listens.")]
Form = Annotated[
    Literal["table", "json", "csv", "jsonl", "md", "latex", "parquet", "svg"],
    typer.Option("--format", "-f", help="A table to look at, or a form to take along."),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="A file for it; default: standard output.")
]


@commands.command()
def board(
    dataset: Annotated[str, typer.Argument(help="A name, name@version or ds_…")],
    metric: Annotated[str, typer.Argument(help="A score's name, as rougeL")],
    slice_: Annotated[str | None, typer.Option("--slice", help="As lang=ru")] = None,
    cluster: Cluster = None,
    at: Annotated[
        str | None, typer.Option(help="As it stood at the end of 2026-11-24, or at a time.")
    ] = None,
    url: Url = HERE,
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
        query = {"metric": metric, "slice": slice_, "cluster": cluster, "at": at}
        show.board(url, dataset, query, form, output)
    except RemoteError as error:
        fail(str(error))


@commands.command()
def compare(
    evaluations: Annotated[list[str], typer.Argument(metavar="EVAL EVAL…", help="Their ids.")],
    metrics: Annotated[
        str, typer.Option("--metrics", "-m", help="Metrics or scores, separated by commas.")
    ] = "",
    test: Annotated[str | None, typer.Option(help="As paired_bootstrap.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Of several, the one that each is compared with.")
    ] = None,
    correction: Annotated[
        str | None, typer.Option(help="Over all results: holm (the default), bh or none.")
    ] = None,
    cluster: Cluster = None,
    slice_: Annotated[str | None, typer.Option("--slice", help="As lang=ru")] = None,
    url: Url = HERE,
    form: Form = "table",
    output: Output = None,
) -> None:
    """Compare evaluations of a running service, score by score.

    \b
    assay compare eval_… eval_…
    assay compare eval_… eval_… -m chrf,bleu --format md
    assay compare eval_… eval_… --cluster document --slice lang=ru
    """
    from service import show
    from service.remote import RemoteError

    asked = {
        **{"metrics": [name.strip() for name in metrics.split(",") if name.strip()] or None},
        **{"test": test, "baseline": baseline, "correction": correction},
        **{"cluster": cluster, "slice": slice_},
    }
    try:
        show.compare(url, evaluations, asked, form, output)
    except RemoteError as error:
        fail(str(error))


@commands.command()
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
    settings = settings_of()
    from rich.console import Console

    from inference.errors import ReportedError
    from metrics.core.verification import Options
    from service import archive_file

    options = Options(fraction=sample, seed=seed, run_code=run_code)
    try:
        found = archive_file.check(file, options, (Path.cwd(), *settings.metric_roots))
    except ReportedError as error:
        fail(error.message)
    if form == "json":
        typer.echo(archive_file.as_json(found))
    else:
        archive_file.show(found, Console())
    if not found.sound:
        raise typer.Exit(1)


@commands.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="An archive; a log of lm-evaluation-harness, Inspect, HELM or Every Eval Ever, a "
            "tar or zip of several; or a table: CSV, JSON, JSONL, Parquet.",
        ),
    ],
    url: Url = HERE,
    system: Annotated[str | None, typer.Option(help="Whose results they are.")] = None,
    dataset: Annotated[str | None, typer.Option(help="That gets the samples.")] = None,
    mapping: Annotated[
        str | None, typer.Option(help="A table's columns: question:prompt,acc:score")
    ] = None,
    scores: Annotated[list[str] | None, typer.Option("--score", help="Repeatable.")] = None,
    lower: Annotated[
        list[str] | None, typer.Option("--lower-is-better", help="A score; repeatable.")
    ] = None,
    slices: Annotated[
        list[str] | None, typer.Option("--slice", help="A key of the metadata; repeatable.")
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be imported.")] = False,
    form: Annotated[
        Literal["table", "json"], typer.Option("--format", "-f", help="What to print.")
    ] = "table",
) -> None:
    """Load an archive into a running service, or make evaluations of another harness's results.

    \b
    assay import eval.zip --dataset news-ru
    assay import results.tar.gz --dry-run
    assay import votes.csv --mapping id:id,answer:output,rating:score --system mine
    """
    from service.figures.terminal import screen
    from service.import_file import import_file, show
    from service.remote import RemoteError

    query = {
        **{"system": system, "dataset": dataset, "mapping": mapping, "dry_run": dry_run},
        **{"scores": scores, "lower_is_better": lower, "slices": slices},
    }
    try:
        found = import_file(url, file, query)
    except RemoteError as error:
        fail(str(error))
    if form == "json":
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    elif found.get("object") == "evaluation":
        typer.echo(found["id"])
    else:
        show(found, screen())


@commands.command(cls=VerdictCommand)
def gate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The gate's, or name@version.")],
    evaluation: Annotated[str, typer.Option(help="The candidate, by its evaluation.")] = "",
    model: Annotated[str, typer.Option(help="Evaluated first if it has not been.")] = "",
    checkpoint: Annotated[str, typer.Option(help="Of a training job.")] = "",
    url: Url = HERE,
    wait: Annotated[float, typer.Option(help="Seconds to wait for an evaluation.")] = 3600.0,
    form: Annotated[
        Literal["table", "json"], typer.Option("--format", "-f", help="What to print.")
    ] = "table",
) -> None:
    """Ask a running service whether a candidate may replace a gate's baseline.

    Exits with 0 (go), 1 (no go) or 2 (inconclusive); with 3 where there is no verdict.

    \b
    assay gate ship-ru --evaluation eval_01j9
    assay gate ship-ru --model my-model --url http://assay:8000
    """
    from rich.console import Console

    from service import gate_command as gates
    from service.remote import RemoteError

    named = {"evaluation": evaluation, "model": model, "checkpoint": checkpoint}
    candidate = {kind: value for kind, value in named.items() if value}
    if len(candidate) != 1:
        fail("name the candidate: one of --evaluation, --model and --checkpoint", NO_VERDICT)
    try:
        found = gates.check(url, name, candidate, wait)
    except RemoteError as error:
        fail(str(error), NO_VERDICT)
    if form == "json":
        typer.echo(gates.as_json(found))
    else:
        gates.show(found, Console())
    raise typer.Exit(gates.CODES[found["verdict"]])
