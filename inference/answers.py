"""Extractive question answering by `transformers`: the span of a text that answers a question.

A question and a text become one window or several that overlap, `[CLS] question [SEP] text [SEP]`.
A span's score is the sum of its first token's start logit and its last one's end logit; a text's
answer is the best span of at most LONGEST_ANSWER tokens over all windows, and it has none where
the first position's sum, which is trained to say so, is higher in every window: SQuAD 2.0's way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.batching import plan_by_length, plan_in_order
from inference.encoder import positions_of
from inference.errors import InputError
from inference.load import Loaded, load_network, load_tokenizer, padded
from inference.protocol import DType, Identity

LONGEST_ANSWER = 30  # tokens
LONGEST_QUESTION = 64  # tokens; a quarter of the positions where that is less
LONGEST_WINDOW, OVERLAP = 384, 128  # tokens
ROWS_PER_PASS = 128
MOST_CHARACTERS, MOST_PAIRS = 500_000, 4096  # whose tokens stand in memory at once

Pair = tuple[str, str]  # a question and the text that is to answer it
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Answer:
    """What of a text answers a question.

    start, end  where it stands in the text; both 0 where the text has no token
    score       of the best span; -inf where the text has no token
    no_answer   score of there being none: the least over the windows
    """

    start: int
    end: int
    score: float
    no_answer: float

    @property
    def found(self) -> bool:
        """Whether the model says that the text answers the question."""
        return self.score > self.no_answer

    @property
    def answerable(self) -> float:
        """0..1: the probability of the best span, of it and there being no answer; above 0.5 where
        there is one."""
        if self.score == -np.inf:
            return 0.0
        return float(1 / (1 + np.exp(np.clip(self.no_answer - self.score, -700, 700))))


@dataclass(frozen=True, slots=True)
class Window:
    """A question and a part of a text as token ids.

    segments  of models that have them
    places    (T, 2) where each token stands in the text; -1 where it is not of the text
    null      the position that says there is no answer
    """

    ids: list[int]
    segments: list[int] | None
    places: NDArray[np.int64]
    null: int


def load_answers(
    folders: Sequence[Path], identity: Identity, dtype: DType, device: str
) -> TransformerAnswers:
    """From the model's folder and its adapters'.

    Raises InputError for another kind of model, and where the tokenizer does not tell where its
    tokens stand.
    """
    from transformers import AutoModelForQuestionAnswering

    tokenizer = load_tokenizer(folders[-1])
    if not tokenizer.is_fast:
        message = f"{identity.name!r} has no tokenizer.json, which tells where tokens stand"
        raise InputError(message, "model")
    model = load_network(AutoModelForQuestionAnswering, identity.name, folders, dtype, device)
    return TransformerAnswers(model, tokenizer, identity, device)


class TransformerAnswers(Loaded):
    """An extractive question answering model, on one device."""

    def __init__(self, model: Any, tokenizer: Any, identity: Identity, device: str) -> None:
        super().__init__(model, tokenizer, identity, device)
        self.max_length = min(positions_of(tokenizer, model), LONGEST_WINDOW)

    def answers(self, pairs: Sequence[Pair]) -> list[Answer]:
        """Of each (question, text); equal pairs are read once, in batches of like length.

        A question that is longer than LONGEST_QUESTION tokens loses its end.
        """
        distinct = list(dict.fromkeys(pairs))
        sizes = [len(question) + len(text) for question, text in distinct]
        found: dict[Pair, Answer] = {}
        for part in plan_in_order(sizes, MOST_CHARACTERS, MOST_PAIRS):
            own = [distinct[index] for index in part]
            found |= zip(own, self._of(own), strict=True)
        return [found[pair] for pair in pairs]

    def _of(self, pairs: Sequence[Pair]) -> list[Answer]:
        owner, windows = self.windows(pairs)
        best = np.zeros((len(windows), 4))  # score, no answer, start, end
        lengths = [len(window.ids) for window in windows]
        for batch in plan_by_length(lengths, self.tokens_per_pass, ROWS_PER_PASS):
            best[batch] = self._pass([windows[index] for index in batch])
        return _over_windows(best, owner, len(pairs))

    def windows(self, pairs: Sequence[Pair]) -> tuple[NDArray[np.int64], list[Window]]:
        """Windows of the pairs, in their order, and of which pair each is."""
        if not pairs:
            return np.zeros(0, np.int64), []
        most = min(LONGEST_QUESTION, self.max_length // 4)
        special = self.tokenizer.num_special_tokens_to_add(pair=True)
        encoded = self.tokenizer(
            self._shortened([question for question, _ in pairs], most),
            [text for _, text in pairs],
            truncation="only_second",
            max_length=self.max_length,
            stride=min(OVERLAP, (self.max_length - most - special) // 2),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            verbose=False,
        )
        windows = []
        for at, ids in enumerate(encoded["input_ids"]):
            of_text = np.array([one == 1 for one in encoded.sequence_ids(at)])  # (T,)
            places = np.array(encoded["offset_mapping"][at], np.int64).reshape(-1, 2)
            segments = encoded["token_type_ids"][at] if "token_type_ids" in encoded else None
            start = self.tokenizer.cls_token_id
            null = ids.index(start) if start in ids else 0
            windows.append(Window(ids, segments, np.where(of_text[:, None], places, -1), null))
        return np.array(encoded["overflow_to_sample_mapping"], np.int64), windows

    def _shortened(self, questions: Sequence[str], most: int) -> list[str]:
        encoded = self.tokenizer(
            list(questions), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return [
            question[: places[most - 1][1]] if len(places) > most else question
            for question, places in zip(questions, encoded["offset_mapping"], strict=True)
        ]

    def _pass(self, batch: Sequence[Window]) -> Floats:
        """(B, 4) of each window: its best span's score, that of no answer, the span's places in the
        text; one right-padded pass."""
        import torch

        pad = self.tokenizer.pad_token_id or 0
        rows = [window.ids for window in batch]
        ids, mask = padded(rows, pad, left=False, device=self.device)  # (B, T) each
        inputs = {"input_ids": ids, "attention_mask": mask}
        segments = [window.segments for window in batch if window.segments is not None]
        if segments:
            inputs["token_type_ids"], _ = padded(segments, 0, left=False, device=self.device)
        with torch.inference_mode():
            out = self.model(**inputs)
            starts, ends = (
                np.asarray(logits.double().cpu().numpy(), np.float64)  # (B, T)
                for logits in (out.start_logits, out.end_logits)
            )
        inside = np.zeros(starts.shape, np.bool_)
        for row, window in enumerate(batch):
            inside[row, : len(window.ids)] = window.places[:, 1] >= 0
        score, first, last = best_spans(starts, ends, inside)
        null = np.array([window.null for window in batch])
        rows_of = np.arange(len(batch))
        places = [
            (window.places[a, 0], window.places[b, 1]) if np.isfinite(one) else (0, 0)
            for window, a, b, one in zip(batch, first, last, score, strict=True)
        ]
        no_answer = starts[rows_of, null] + ends[rows_of, null]
        return np.column_stack([score, no_answer, np.array(places, np.float64)])


def best_spans(
    starts: Floats, ends: Floats, inside: NDArray[np.bool_], longest: int = LONGEST_ANSWER
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """(B,) score, first and last token of the best span of each row of logits (B, T).

    inside   (B, T) tokens that a span may begin and end with
    longest  tokens of a span

    Of equal ones the shortest is taken, then the one that comes first; -inf where there is none.
    """
    starts, ends = (np.where(inside, logits, -np.inf) for logits in (starts, ends))
    count, width = starts.shape
    best = np.full(count, -np.inf)
    first, last = np.zeros((2, count), np.int64)
    for more in range(min(longest, width)):
        total = starts[:, : width - more] + ends[:, more:]
        at = total.argmax(1)
        value = total[np.arange(count), at]
        better = value > best
        best[better], first[better] = value[better], at[better]
        last[better] = at[better] + more
    return best, first, last


def _over_windows(best: Floats, owner: NDArray[np.int64], count: int) -> list[Answer]:
    """Of each pair, the best span of its windows; the first of equal ones."""
    found: list[Answer | None] = [None] * count
    for pair, (score, no_answer, start, end) in zip(owner.tolist(), best.tolist(), strict=True):
        own, before = Answer(int(start), int(end), score, no_answer), found[pair]
        if before is not None:
            better = own if own.score > before.score else before
            own = replace(better, no_answer=min(no_answer, before.no_answer))
        found[pair] = own
    return [one for one in found if one is not None]  # each pair has a window
