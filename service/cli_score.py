"""The command for files that are scored right here."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from service.terminal import Cluster, fail, need_device, say, settings_of

commands = typer.Typer()

NO_BARS = dict.fromkeys(  # of libraries: ours says it
    ("TQDM_DISABLE", "HF_HUB_DISABLE_PROGRESS_BARS", "HF_DATASETS_DISABLE_PROGRESS_BARS"), "1"
)


@commands.command()
def score(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="JSONL, a JSON array, CSV, Parquet, or samples of lm-evaluation-harness: id, "
            "prompt, output or outputs, references, tests, metadata. `-` is standard input.",
        ),
    ],
    metrics: Annotated[str, typer.Option("--metrics", "-m", help="Separated by commas.")] = "",
    suite: Annotated[
        str | None,
        typer.Option("--suite", "-s", help="As summarization, or a TOML file; with metrics, more."),
    ] = None,
    suite_language: Annotated[
        str | None, typer.Option(help="Of the answers, as ru; default: as the samples tell.")
    ] = None,
    params: Annotated[str, typer.Option(help='JSON: {"metric": {"param": value}}')] = "",
    calibration: Annotated[
        Path | None,
        typer.Option(help="A file of GET /v1/calibrations/NAME: on people's scale, too."),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", help="Columns of other names: question=prompt,answer=references"),
    ] = None,
    filter_: Annotated[
        str | None, typer.Option("--filter", help="Of lm-evaluation-harness: take its answers.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(help="Another file: test both over the samples they share.")
    ] = None,
    cluster: Cluster = None,
    per_sample: Annotated[
        Path | None, typer.Option(help="A file for every sample's values: .csv, .jsonl, .parquet")
    ] = None,
    slices: Annotated[
        list[str] | None,
        typer.Option("--slice", help="Metadata field: score the samples of each value, too."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="A file for the whole report, besides: .html, .json, .csv"),
    ] = None,
    lang: Annotated[
        Literal["en", "ru"], typer.Option(help="Of tables and reports: English or Russian.")
    ] = "en",
    form: Annotated[
        Literal["table", "json", "csv", "markdown", "md", "latex", "html"],
        typer.Option("--format", "-f", help="What to print; html: the report."),
    ] = "table",
    device: Annotated[str, typer.Option(help="Where models run: cpu, cuda:0")] = "cpu",
) -> None:
    """Score a file without a server: the same metrics, intervals and signatures.

    \b
    assay score outputs.jsonl --metrics bleu,rouge
    assay score outputs.jsonl --suite summarization --report report.html --slice lang
    assay score outputs.jsonl -m chrf --calibration adequacy.json
    assay score outputs.csv -m chrf --map question=prompt,answer=references
    assay score new.jsonl -m chrf,bleu --compare old.jsonl --cluster document
    cat outputs.jsonl | assay score - -m chrf --format html > chrf.html

    Exits with 1 for errors and named metrics without a value; a suite's are left out, and told.
    A comparison's verdict is printed alone.

    Models that have to be converted are kept in ~/.cache/assay, or where ASSAY_DATA_DIR says.
    """
    settings = settings_of()
    need_device(device)
    os.environ.update(NO_BARS)  # before the libraries that draw them are imported
    from inference.errors import ReportedError
    from service import logs
    from service.score_file import calibrations, columns, command, running, suites
    from service.score_file.reading import Reading

    logs.configure(settings.model_copy(update={"log_level": "ERROR"}))
    try:
        roots = (Path.cwd(), *settings.metric_roots)
        requests = running.requests(metrics, params, roots)
        if calibration is not None:
            requests = running.added(requests, calibrations.read(calibration))
        declared = suites.named(suite) if suite is not None else None
        if not requests and declared is None:
            fail("name metrics, as --metrics chrf,bleu, or a suite, as --suite translation")
        reading = Reading(columns.parsed(mapping or []), filter_)
        asked = command.Asked(
            file,
            reading,
            compare,
            cluster,
            per_sample,
            form,
            device,
            suite=declared,
            language=suite_language,
            slices=slices or (),
            report=report,
            lang=lang,
        )
        complete = command.run(asked, requests, settings, running.bind(settings, roots), say)
    except ReportedError as error:
        fail(error.message)
    if not complete:
        raise typer.Exit(1)
