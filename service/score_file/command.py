"""What the command does: reads, measures, tests, answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inference.errors import InputError
from metrics.core.alike import taken_for_independent
from metrics.core.metric import BoundMetric, Sample
from metrics.core.result import Result
from metrics.suites.choosing import Bind, Chosen
from metrics.suites.declaration import Suite
from metrics.suites.wording import Lang
from service.figures.table import Table
from service.figures.terminal import screen, show
from service.score_file import answers, comparing, outfiles, per_sample, report, running, suites
from service.score_file.forms import FORMS
from service.score_file.per_sample import Values
from service.score_file.reading import Reading, named, read
from service.score_file.translation import translated
from service.score_file.wording import many, told
from service.settings import Settings

Say = Callable[[str], None]

REPORT, LANG = "--report", "--lang"
REPORTS = {".html": "html", ".json": "json", ".csv": "csv"}  # forms, by how a file ends
LONGEST = 24  # characters of a file's name that heads a column


@dataclass(frozen=True, slots=True)
class Asked:
    """The command's arguments, besides the metrics.

    compare     another file, of the same samples
    cluster     the field by which samples belong together
    per_sample  a file for the samples' own values
    suite       whose metrics are measured, besides those that are named
    language    of the answers, by which the suite chooses; None: as the samples tell
    slices      fields of the metadata, by whose values the samples are scored apart
    report      a file for everything that there is to see
    lang        that tables and reports are written in
    """

    file: Path
    reading: Reading
    compare: Path | None
    cluster: str | None
    per_sample: Path | None
    form: str
    device: str
    suite: Suite | None = None
    language: str | None = None
    slices: Sequence[str] = ()
    report: Path | None = None
    lang: Lang = "en"


def run(
    asked: Asked, metrics: Sequence[BoundMetric], settings: Settings, bind: Bind, say: Say
) -> bool:
    """Scores the file, or compares it with another, and prints the answer; whether every metric
    that was named gave a value, and some metric of a suite that was.

    bind  a suite's metrics
    say   for sentences beside the answer

    Raises ReportedError.
    """
    inputs = [asked.file] if asked.compare is None else [asked.file, asked.compare]
    if len(inputs) == 2 and str(inputs[0]) == str(inputs[1]) == "-":
        raise InputError("--compare: both files cannot be standard input")
    _check(asked, inputs)
    found = [read(path, asked.reading) for path in inputs]
    chosen, named_ones = None, len(metrics)
    if asked.suite is not None:
        chosen = suites.chosen(asked.suite, found[0], bind, asked.language, metrics)
        metrics = [*metrics, *(one.metric for one in chosen.picked)]
    with running.runner(metrics, settings, asked.device, say) as runner:
        measure = _scored if asked.compare is None else _compared
        results = measure(asked, metrics, found, runner, chosen, say)
    of_named = [one for at, one in enumerate(results) if at % len(metrics) < named_ones]
    return not answers.failed(of_named) and answers.some_value(results)


def _check(asked: Asked, inputs: Sequence[Path]) -> None:
    """Raises InputError for files that cannot be written, and what two files do not have."""
    if asked.per_sample is not None:
        outfiles.check(per_sample.OPTION, asked.per_sample, per_sample.WRITERS, inputs)
    if asked.report is not None:
        outfiles.check(REPORT, asked.report, REPORTS, inputs)
    of_one = {REPORT: asked.report, report.OPTION: asked.slices, LANG: asked.lang != "en"}
    for option, given in of_one.items():
        if given and asked.compare is not None:
            raise InputError(f"{option} is for one file: leave it or --compare out")
    beside = [one.resolve() for one in (asked.report, asked.per_sample) if one is not None]
    if len(set(beside)) < len(beside):
        raise InputError(f"{REPORT}: {asked.report} is the file of {per_sample.OPTION}")


def _scored(
    asked: Asked,
    metrics: Sequence[BoundMetric],
    files: Sequence[list[Sample]],
    runner: running.Runner,
    chosen: Chosen | None,
    say: Say,
) -> list[Result]:
    (samples,) = files
    slices, notes = report.slices_of(samples, asked.slices, asked.lang)
    found = runner.sliced(samples, metrics, asked.cluster, slices)
    results = [whole for whole, _ in found]
    scored = report.Scored(named(asked.file), samples, metrics, found, chosen, notes)
    scored = translated(scored, asked.lang)
    try:
        _keep(asked, metrics, [Values(None, [one.id for one in samples], results)], say)
        if asked.report is not None:
            form = REPORTS[asked.report.suffix.lower()]
            outfiles.write(REPORT, asked.report, FORMS[form](scored, asked.lang))
    finally:  # a file that cannot be written takes no answer away
        if asked.form == "table":
            show(answers.score_table(scored, asked.lang), screen())
        else:
            _put(FORMS[asked.form](scored, asked.lang))
    return results


def _compared(
    asked: Asked,
    metrics: Sequence[BoundMetric],
    files: Sequence[list[Sample]],
    runner: running.Runner,
    chosen: Chosen | None,
    say: Say,
) -> list[Result]:
    paths = (asked.file, asked.compare or asked.file)
    names, notes = _told_apart(*paths)
    notes += told(chosen.left_out if chosen is not None else ())
    a, b = comparing.shared(files[0], files[1], metrics, names)
    left = [len(whole) - len(a) for whole in files]
    notes += [
        f"{name}: {many(count)} not in the other file, left out"
        for name, count in zip(names, left, strict=True)
        if count
    ]
    first, second = (runner.results(one, metrics, asked.cluster) for one in (a, b))
    ids = [one.id for one in a]
    _keep(asked, metrics, [Values(names[0], ids, first), Values(names[1], ids, second)], say)
    said = [warning for one in (*first, *second) for x in one.scores for warning in x.warnings]
    notes += taken_for_independent(said, "--cluster {}")
    level = runner.settings.level
    found = comparing.paired_tests(metrics, first, second, a, asked.cluster, level)
    if asked.form == "json":
        _put(answers.paired_json(found, names, len(a), notes).encode())
    else:
        _show(answers.paired_table(len(a), found, names, notes), asked.form)
    return [*first, *second]


def _keep(asked: Asked, metrics: Sequence[BoundMetric], values: Sequence[Values], say: Say) -> None:
    if asked.per_sample is not None:
        for sentence in per_sample.write(asked.per_sample, metrics, values):
            say(sentence)


def _show(table: Table, form: str) -> None:
    if form == "table":
        show(table, screen())
    else:
        _put(answers.DOCUMENTS[form](table))


def _put(content: bytes) -> None:
    sys.stdout.buffer.write(content.rstrip(b"\n") + b"\n")
    sys.stdout.flush()


def _told_apart(a: Path, b: Path) -> tuple[tuple[str, str], list[str]]:
    """Names of two files that fit into a table, and what they stand for, where that has to be
    said."""
    first, second = (named(one) if str(one) == "-" else one.name for one in (a, b))
    if first != second and len(first) <= LONGEST and len(second) <= LONGEST:
        return (first, second), []
    return ("a", "b"), [f"a: {named(a)}", f"b: {named(b)}"]
