"""Memory of the processes that compute, over a thousand evaluations of texts they have never seen.

Each evaluation has samples of words made up for it, of five scripts in turn, a third of the metrics
of texts alone, and one of those that need a model; models are tiny, their passes are real. Whatever
remembers texts, words, requests or results grows with them. What the processes hold is looked at
after each evaluation; the whole curve is drawn into `memory.svg`.
"""

from __future__ import annotations

import io
import random
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from assay import Client
from benchmarks.comparing import Row
from benchmarks.service import PATIENCE, address, answers, prepared, process, until
from metrics.core.rows import Floats

EVALUATIONS, SAMPLES, WORDS = 1000, 8, (8, 24)
SCRIPTS = ("abcdefghijklmnopqrstuvwxyz", "абвгдежзийклмнопрстуфхцчшщыьэюя", "ابتثجحخدذرزسشصضطظعغف")
HAN, EMOJI = range(0x4E00, 0x9FA5), range(0x1F600, 0x1F64F)
FIGURE = Path(__file__).with_name("memory.svg")
WORKER = ("service.cli", "worker", "--device", "cpu", "--queues", "now,score")
LEXICAL = (
    *("accuracy", "bleu", "cer", "chrf", "distinct_n", "exact_match", "f1_macro", "format", "gleu"),
    *("language", "length", "maj_at_k", "math_equal", "mcc", "meteor", "personal_data"),
    *("profanity", "readability", "refusal", "repetition", "rouge", "rouge_s", "rouge_w"),
    *("self_bleu", "ter", "token_f1", "vocabulary", "wer"),
)
MODELS = {
    "perplexity": "llama",
    "reward": "reward",
    "nli": "nli",
    "toxicity": "toxic",
    "bertscore": "nli",
    "sentence_similarity": "nli",
    "moverscore": "nli",
    "vendi": "nli",
}  # one of them in turn


@dataclass(frozen=True, slots=True)
class Curve:
    """Megabytes (n,) that the process held after each evaluation; bytes of text a request had."""

    resident: Floats
    text_bytes: float


def rows(scale: float) -> Iterator[Row]:
    count = max(40, int(EVALUATIONS * scale))
    curve = measured(count)
    if scale >= 1:
        FIGURE.write_bytes(drawn(curve))
    yield row_of(curve)


def row_of(curve: Curve) -> Row:
    """The row of a curve: the slope of its second half, within the bound or not."""
    slope, error = fitted(curve.resident[len(curve.resident) // 2 :])
    most = limit(curve.text_bytes)
    return Row(
        f"{len(curve.resident)} evaluations of new texts, {len(LEXICAL) + len(MODELS)} metrics, by "
        "one worker: growth of its compute processes over the second half",
        f"{slope * 1e3:.1f} kB each",
        "",
        "",
        f"≤ {most * 1e3:.1f} kB",
        f"± {error * 1e3:.1f} kB (2 standard errors); {curve.resident[-1]:.0f} MB at the end; each "
        f"had {curve.text_bytes / 1e3:.0f} kB of text",
        fast=slope <= max(most, error),
    )


def limit(text_bytes: float) -> float:
    """MB an evaluation: half of what keeping its texts alone would take."""
    return text_bytes / 2e6


def fitted(resident: Floats, blocks: int = 10) -> tuple[float, float]:
    """The slope of a curve in MB an evaluation, and twice its standard error.

    Neighbours are alike, as memory is given back in steps: the error is that of a line through the
    means of `blocks` stretches.
    """
    parts = np.array_split(resident, blocks)
    means = np.array([part.mean() for part in parts])
    places = np.arange(blocks) * len(resident) / blocks
    (slope, at), residuals = np.polyfit(places, means, 1), places - places.mean()
    left = means - (slope * places + at)
    return float(slope), float(2 * np.sqrt(left @ left / (blocks - 2) / (residuals @ residuals)))


def measured(count: int) -> Curve:
    """The curve of `count` evaluations by one worker on a database of their own."""
    with _running() as (assay, worker):
        resident, sizes, computes = [], [], set()
        for number in range(count):
            samples = _samples(number)
            sizes.append(_bytes(samples))
            made = assay.evaluate(
                system=f"system-{number}",
                dataset="memory",
                samples=samples,
                metrics=_metrics(number),
            )
            found = assay.wait(made.id, timeout=PATIENCE)
            if found.status != "succeeded":
                raise SystemExit(f"the evaluation {found.status}: {found.error}")
            computes.add(_computes(worker))
            resident.append(sum(map(_resident, _computes(worker))))
    if len(computes) > 1:
        raise SystemExit("a compute process was replaced: its memory is that of several")
    return Curve(np.array(resident), float(np.mean(sizes)))


@contextmanager
def _running() -> Iterator[tuple[Client, int]]:
    """A client of a service of its own, and the number of its only worker's process."""
    from tests import tiny_models

    with tempfile.TemporaryDirectory() as root, prepared() as made:
        folder = Path(root)
        tiny_models.build_language_model(folder / "llama")
        tiny_models.build_reward_model(folder / "reward")
        for name in ("nli", "toxic"):
            tiny_models.build_nli_model(folder / name)
        settings = made.model_copy(update={"model_roots": (folder,)})
        with (
            process(settings, "service.serve.api"),
            process(settings, *WORKER) as worker,
        ):
            until(lambda: answers(f"{address(settings)}/readyz"))
            with Client(address(settings), timeout=PATIENCE) as assay:
                yield assay, worker.pid


def _metrics(number: int) -> list[str | dict[str, Any]]:
    """A third of those of texts alone, and one with a model."""
    name, model = list(MODELS.items())[number % len(MODELS)]
    return [*LEXICAL[number % 3 :: 3], {"name": name, "params": {"model": model}}]


def _samples(number: int) -> list[dict[str, Any]]:
    """In one script, which changes every third time, but for the first sample."""
    draw = random.Random(number)
    return [
        {
            "id": str(at),
            "prompt": _text(draw, kind),
            "output": _text(draw, kind),
            "references": [_text(draw, kind), _text(draw, kind)],
        }
        for at in range(SAMPLES)
        for kind in [number // 3 + (at == 0)]
    ]


def _text(draw: random.Random, kind: int) -> str:
    """Words that no other text has; of Han characters and emoji in one of four."""
    count = draw.randint(*WORDS)
    if kind % 4 == 3:
        return "".join(chr(draw.choice(HAN)) for _ in range(2 * count)) + chr(draw.choice(EMOJI))
    letters = SCRIPTS[kind % 4]
    words = ["".join(draw.choices(letters, k=draw.randint(3, 12))) for _ in range(count)]
    return f"{' '.join(words)}. {draw.randrange(10**6)}"


def _bytes(samples: list[dict[str, Any]]) -> int:
    """UTF-8, prompts, outputs and references."""
    texts = [text for one in samples for text in (one["prompt"], one["output"], *one["references"])]
    return sum(len(text.encode()) for text in texts)


def _computes(worker: int) -> tuple[int, ...]:
    """The worker's compute processes, one a queue."""
    children = Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    return tuple(int(one) for one in children if b"service.jobs.compute" in _command(one))


def _command(process: str) -> bytes:
    return Path(f"/proc/{process}/cmdline").read_bytes()


def _resident(process: int) -> float:
    """MB that the process holds."""
    (kibibytes,) = re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    return int(kibibytes) * 1024 / 1e6


def drawn(curve: Curve) -> bytes:
    """The curve and the line through its second half, as SVG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    from service.figures.svg import STYLE

    file, count = io.BytesIO(), len(curve.resident)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7, 3), layout="constrained")
        axes = figure.subplots()
        axes.plot(np.arange(1, count + 1), curve.resident, color="#2563a8", linewidth=1)
        half = np.arange(count // 2, count)
        slope, at = np.polyfit(half + 1, curve.resident[half], 1)
        axes.plot(half + 1, slope * (half + 1) + at, color="#b45309", linestyle="--")
        axes.set(xlabel="evaluations", ylabel="MB resident", ylim=(0, None), xlim=(0, count))
        axes.set_title(f"The compute processes of one worker: {slope * 1e3:+.1f} kB an evaluation")
        axes.spines[["top", "right"]].set_visible(False)
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(file, metadata={"Date": None, "Creator": None})
    return file.getvalue()
