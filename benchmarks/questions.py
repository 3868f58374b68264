"""QA consistency in QAGS's way against a straightforward loop: a question and an answer at a time.

Both papers' packages pin old libraries and download their models: here is what they do with a small
T5 and a small BERT with random weights, candidates by our rules.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.bertscore import one_thread
from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from benchmarks.texts import english
from inference.load import without_progress_bars
from inference.pool import ModelPool
from metrics import find
from metrics.core.metric import Sample
from metrics.core.rows import Floats
from metrics.questioning.candidates import candidates
from metrics.questioning.generation import prompt
from metrics.text.bags import bag, f1_or_neither

REQUIRED, TOLERANCE = 1.0, 1e-5
QUESTIONS, NEW_TOKENS, LONGEST_ANSWER, READ = 5, 48, 30, 64


def rows(scale: float) -> Iterator[Row]:
    from tests.tiny_models import build_answers_model, build_questions_model

    without_progress_bars()
    with tempfile.TemporaryDirectory() as root, one_thread():
        build_questions_model(Path(root, "questions"))
        build_answers_model(Path(root, "answers"), positions=512)
        pool = ModelPool([Path(root)], Path(root, "cache"))
        models = {"questions": "questions", "answers": "answers"}
        asked = {"keep": "all", "max_questions": QUESTIONS, "num_beams": 1}
        bound = find("qa_consistency").bind(models | asked)
        loop = Loop(Path(root))

        def ours(samples: list[Sample]) -> Floats:
            return rows_of(bound, samples, pool)[:, 0]

        in_turns([_samples(2, 99)], ours, loop.values)
        inputs = [_samples(max(2, int(10 * scale)), seed) for seed in range(ROUNDS)]
        found = in_turns(inputs, ours, loop.values)
        difference = max(furthest(a, b) for a, b in found.results)
        yield ratio(
            f"QA consistency (T5 and BERT of 2 layers), {len(inputs[0])} summaries, against QAGS's "
            "steps one by one",
            found,
            REQUIRED,
            f"every score, largest difference {difference:.1g}",
            agrees=difference < TOLERANCE,
        )


class Loop:
    """The steps with `transformers` called by hand; equal questions of a text are asked once."""

    def __init__(self, root: Path) -> None:
        from transformers import (
            AutoModelForQuestionAnswering,
            AutoModelForSeq2SeqLM,
            AutoTokenizer,
        )

        self.tokenizers = [
            AutoTokenizer.from_pretrained(root / n) for n in ("questions", "answers")
        ]
        self.writer = AutoModelForSeq2SeqLM.from_pretrained(root / "questions").eval()
        self.reader = AutoModelForQuestionAnswering.from_pretrained(root / "answers").eval()

    def values(self, samples: list[Sample]) -> Floats:
        found = []
        for one in samples:
            output, source = one.outputs[0], one.prompt or ""
            each = [
                prompt("generate question: {highlighted}", output, c)
                for c in candidates(output, QUESTIONS)
            ]
            asked = dict.fromkeys(text for text in map(self.question, each) if text)
            f1 = [
                f1_or_neither(*(bag(self.answer(q, text), "squad") for text in (source, output)))
                for q in asked
            ]
            found.append(np.mean(f1))
        return np.array(found, np.float32).astype(np.float64)

    def question(self, text: str) -> str:
        import torch

        with torch.no_grad():
            ids = torch.tensor([self.tokenizers[0](text)["input_ids"]])
            out = self.writer.generate(ids, max_new_tokens=NEW_TOKENS, do_sample=False)
        return str(self.tokenizers[0].decode(out[0], skip_special_tokens=True)).strip()

    def answer(self, question: str, text: str) -> str:
        import torch

        tokenizer = self.tokenizers[1]
        own = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True)
        question = question[: max((end for _, end in own["offset_mapping"][:READ]), default=0)]
        encoded = tokenizer(question, text, return_offsets_mapping=True)
        places = encoded.pop("offset_mapping")
        inside = [at for at, of in enumerate(encoded.sequence_ids()) if of == 1]
        with torch.no_grad():
            out = self.reader(**{name: torch.tensor([ids]) for name, ids in encoded.items()})
        starts, ends = out.start_logits[0].numpy(), out.end_logits[0].numpy()
        total = starts[:, None] + ends
        allowed = np.triu(np.ones_like(total)) - np.triu(np.ones_like(total), LONGEST_ANSWER)
        part = np.where(allowed > 0, total, -np.inf)[np.ix_(inside, inside)]
        first, last = np.unravel_index(part.argmax(), part.shape)
        if part[first, last] <= total[0, 0]:
            return ""
        return text[places[inside[first]][0] : places[inside[last]][1]].strip()


@cache
def _words() -> list[str]:
    return " ".join(english(300, 5).outputs).replace(".", "").split()


def _samples(count: int, seed: int) -> list[Sample]:
    """Documents of 4 sentences of 5 to 15 words, and summaries of 2, one of them the document's
    own."""
    draw = random.Random(seed)
    found = []
    for at in range(count):
        own = [" ".join(draw.sample(_words(), draw.randint(5, 15))) + "." for _ in range(5)]
        found.append(Sample(str(at), (f"{own[0]} {own[4]}",), prompt=" ".join(own[:4])))
    return found
