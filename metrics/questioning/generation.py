"""Questions of texts, by a model that writes them, and which of them are asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from inference.answers import Answer, Pair, TransformerAnswers
from inference.seq2seq import TransformerSeq2Seq
from metrics.questioning.candidates import Candidate, candidates, passage
from metrics.text.normalization import Normalization, normalize, words

Keep = Literal["consistent", "answered", "all"]

LONGEST_QUESTION = 48  # new tokens
SHORTEST_QUESTION = 3  # words
END = re.compile("[?？؟]")
FIELDS = re.compile(r"\{(highlighted|passage|answer)\}")
HIGHLIGHT = "<hl>"


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a text was made to ask.

    expected  the text's own words that it is to be answered with
    own       what the answering model finds in that text; empty: nothing, or it was not asked
    """

    text: str
    expected: str
    own: str = ""


@dataclass(frozen=True, slots=True)
class GeneratedQuestions:
    """Questions that were made of a text.

    candidates  how many answers it could be asked about
    cut         whether a passage was longer than the model reads
    """

    questions: Sequence[Question]
    candidates: int
    cut: bool


def prompt(template: str, text: str, candidate: Candidate) -> str:
    """What the model is given: the template with its fields filled in, white space joined."""
    own, at = passage(text, candidate)
    end = at + candidate.end - candidate.start
    marked = f"{own[:at]} {HIGHLIGHT} {candidate.text} {HIGHLIGHT} {own[end:]}"
    fields = {"highlighted": marked, "passage": own, "answer": candidate.text}
    return " ".join(FIELDS.sub(lambda field: fields[field[1]], template).split())


def generate_questions(
    texts: Sequence[str], model: TransformerSeq2Seq, template: str, most: int, num_beams: int
) -> list[GeneratedQuestions]:
    """Of each text, a question for each of up to `most` candidates; blank and repeated ones are
    left out. The passages of all texts are read together."""
    chosen = [candidates(text, most) for text in texts]
    prompts = [
        prompt(template, text, one) for text, own in zip(texts, chosen, strict=True) for one in own
    ]
    written, cut = model.rewrite(prompts, LONGEST_QUESTION, num_beams)
    made = iter(zip(written, cut, strict=True))
    found = []
    for own in chosen:
        each = [(one.text, *next(made)) for one in own]
        first: dict[str, str] = {}
        for expected, question, _ in each:
            if question:
                first.setdefault(question, expected)
        questions = [Question(text, expected) for text, expected in first.items()]
        found.append(GeneratedQuestions(questions, len(own), any(is_cut for *_, is_cut in each)))
    return found


def keep_questions(
    generated: Sequence[GeneratedQuestions],
    texts: Sequence[str],
    model: TransformerAnswers,
    keep: Keep,
    how: Normalization,
    no_answer: bool,
) -> list[list[Question]]:
    """The questions that are asked, with what their own text answers.

    consistent  up to their first question mark, of three words or more, and answered by their own
                text as expected, once normalised: QAGS's filter
    answered    likewise, and answered by their own text
    all         each of them
    """
    each = [_whole(one.questions, keep) for one in generated]
    pairs = [(one.text, text) for own, text in zip(each, texts, strict=True) for one in own]
    answers = iter(answer_questions(pairs, model, no_answer))
    found = []
    for own in each:
        answered = [Question(one.text, one.expected, next(answers)[0]) for one in own]
        found.append([one for one in answered if _holds(one, keep, how)])
    return found


def answer_questions(
    pairs: Sequence[Pair], model: TransformerAnswers, no_answer: bool
) -> list[tuple[str, Answer]]:
    """What of each (question, text) answers it, empty where nothing does.

    no_answer  may the model say so; else the best span is taken
    """
    found = model.answers(pairs)
    return [
        (text[one.start : one.end].strip() if one.found or not no_answer else "", one)
        for (_, text), one in zip(pairs, found, strict=True)
    ]


def _whole(questions: Sequence[Question], keep: Keep) -> list[Question]:
    if keep == "all":
        return list(questions)
    first: dict[str, Question] = {}
    for one in questions:
        mark = END.search(one.text)
        text = one.text[: mark.end()] if mark else ""
        if len(words(text, spaceless=True)) >= SHORTEST_QUESTION:
            first.setdefault(text, Question(text, one.expected))
    return list(first.values())


def _holds(question: Question, keep: Keep, how: Normalization) -> bool:
    if keep == "consistent":
        expected = normalize(question.expected, how)
        return bool(expected) and expected == normalize(question.own, how)
    return keep == "all" or bool(question.own)
