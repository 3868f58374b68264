"""`make demo`: start the service, score what a few systems wrote, and read the results."""

from __future__ import annotations

import sys
import time

from rich.columns import Columns
from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding

from assay import Client, Evaluation
from demo import tables
from demo.asking import CODE, QUESTIONS, SUMMARIES, Found, evaluate, evaluate_all, model_calls
from demo.service import Service, stage
from service.settings import Settings

SCORES = (
    "bleu",
    "chrf",
    "rougeL",
    "bertscore_f1",
    "mauve",
    "distinct_2",
    "ead_1",
    "perplexity",
    "bits_per_byte",
)
BOARDS = ("chrf", "bertscore_f1")
MODEL = "smollm2-135m"
WIDE = 98  # columns


def main() -> int:
    """The exit status."""
    return stage(demo, "What is queued goes on when the service runs again.")


def demo(service: Service, settings: Settings, console: Console) -> None:
    whose = "started for this demo" if service.ours else "was running already"
    console.print(f"\n[bold]Assay[/] at {service.url} ({whose}; data in {settings.data_dir})\n")
    with Client(service.url) as assay:
        console.print(
            "Scoring over HTTP: 4 systems on 32 summaries, 2 on 16 questions, 2 on 10 programs"
        )
        if not list((settings.data_dir / "models").glob("smollm2-*/*.safetensors")):
            console.print("[dim]The first time, the language model is unpacked: about 40 s.[/]")
        started = time.monotonic()
        found = evaluate_all(assay, console)
        console.print(f"  done in {time.monotonic() - started:.1f} s\n")
        _summaries(assay, found, console)
        _questions(found, console)
        _code(found, console)
        _again(service, assay, found, console)
    farewell(service, settings, console)


def farewell(service: Service, settings: Settings, console: Console) -> None:
    """Where to go from here."""
    url = service.url
    port = url.rpartition(":")[2]
    serve = "make serve" if port == str(settings.port) else f"ASSAY_PORT={port} make serve"
    console.print("[bold]From here[/]")
    if service.ours:
        console.print(f"  {serve}   runs the service; these results are kept, so then:")
    console.print(
        "  make demo-train   trains a reward model, tunes a model, scores its checkpoints"
    )
    console.print("  make demo-people  simulated people judge; a model is tuned by their votes")
    console.print(f"  {url}/docs   the API, with examples to try")
    console.print(f"  curl -s '{url}/v1/leaderboards/summaries?metric=chrf'\n", soft_wrap=True)


def _summaries(assay: Client, found: Found, console: Console) -> None:
    every = {system: found[SUMMARIES.dataset, system] for system in SUMMARIES.systems}
    _title(console, "Summaries, English and Russian", "value [95% interval], best in bold")
    console.print(tables.scores(every, SCORES, console.width < WIDE))
    _notes(
        console,
        "editor: by hand · lead-1: first sentence · smollm2-135m: generated · loop: four words, 8×",
        "The judge of perplexity is SmolLM2 too: it likes its own text, and a loop best of all.",
        "BERTScore and MAUVE use an English encoder here; for Russian, name a multilingual one.",
        *tables.warnings(every),
        f"Every value has a signature, as {every['editor'].score('chrf').signature}",
    )
    _title(console, "Leaderboards", "“could be”: ranks that the paired tests leave open")
    boards = [assay.leaderboard(SUMMARIES.dataset, name) for name in BOARDS]
    parts = [Group(tables.heading(one), tables.leaderboard(one)) for one in boards]
    shown = Columns(parts, padding=(1, 2)) if console.width >= WIDE else Group(*parts)
    console.print(Padding(shown, (0, 0, 1, 2)))

    a, b = MODEL, "lead-1"
    _title(console, f"{a} less {b}", "paired bootstrap by sample, Holm-corrected")
    results = assay.compare(every[a].id, every[b].id, ["bleu", "chrf", "rougeL", "bertscore_f1"])
    console.print(tables.comparison(a, b, results))

    _title(console, f"{MODEL} by language", "one of the slices asked for")
    console.print(tables.sliced(every[MODEL], ("chrf", "rougeL", "bits_per_byte")))

    _title(console, f"Worst three of {MODEL} by chrF")
    samples = assay.samples(every[MODEL].id, sort="chrf", limit=3)
    console.print(tables.worst("chrf", samples, width=(console.width - 30) // 2))


def _questions(found: Found, console: Console) -> None:
    every = {system: found[QUESTIONS.dataset, system] for system in QUESTIONS.systems}
    _title(console, "Questions with short answers")
    console.print(tables.scores(every, ("exact_match", "token_f1")))
    _notes(console, *tables.warnings(every))


def _code(found: Found, console: Console) -> None:
    every = {system: found[CODE.dataset, system] for system in CODE.systems}
    refused = _refusal(every["reference"])
    if refused is not None:
        console.print(f"[bold]Code[/] was not run: {refused}\n")
        return
    _title(console, "Code", "ten of HumanEval's problems, five programs each, run in the sandbox")
    console.print(tables.scores(every, ("pass@1", "pass@2", "pass@5")))
    _notes(console, "reference: the solutions · slips: most of them with one small slip")


def _again(service: Service, assay: Client, found: Found, console: Console) -> None:
    """The same outputs as a new evaluation: what was measured is not measured again."""
    before, started = model_calls(service.url), time.monotonic()
    again = assay.wait(evaluate(assay, SUMMARIES, MODEL).id)
    took, calls = time.monotonic() - started, model_calls(service.url) - before
    same = _values(again) == _values(found[SUMMARIES.dataset, MODEL])
    console.print(
        f"[bold]The same outputs again[/], as a new evaluation: {took:.1f} s, {calls} model calls, "
        f"{'equal values' if same else '[red]other values[/]'}\n"
    )


def _values(evaluation: Evaluation) -> list[float | None]:
    return [score.value for score in evaluation.scores]


def _refusal(evaluation: Evaluation) -> str | None:
    """Why there is no value at all, if there is none."""
    errors = [score.error["message"] for score in evaluation.scores if score.error]
    return errors[0] if len(errors) == len(evaluation.scores) and errors else None


def _title(console: Console, title: str, about: str = "") -> None:
    console.print(f"[bold]{title}[/]{'  ' if about else ''}{about}")


def _notes(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(Padding(escape(line), (0, 2)), style="dim")
    if lines:
        console.print()


if __name__ == "__main__":
    sys.exit(main())
