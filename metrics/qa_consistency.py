"""QA consistency: do output and source answer questions about the output alike (QAGS, QuestEval)?

Conventions
    A model (`questions`) writes a question for each name, number or phrase of a text; another
    (`answers`) finds the span of a text that answers it, or none. `method`:
    `qags` (Wang, Cho, Lewis 2020): questions of the output are answered by the output and by the
    source; the value is the mean F1 of the two answers.
    `questeval` (Scialom et al. 2021): `qa_precision` is the mean F1 of what the output was asked
    about and the source's answer; `qa_recall` the mean probability that the output answers the
    source's questions; `qa_consistency` their harmonic mean. Its question weights are 1 here.
    F1 is SQuAD 2.0's: two missing answers agree, one does not; `unicode` reads Chinese by
    characters. `keep: auto` is each paper's: `consistent` of QAGS (up to the first question mark,
    three words, answered as expected by the text it is of), `all` of QuestEval. 0..1, higher is
    better; several outputs are averaged. A text without question is missing, not 0.
    Candidates for answers come by rules, since no parser of all languages is at hand: see
    metrics/questioning/candidates.py. Names and numbers first, up to `max_questions`, evenly over
    the text; QAGS takes the 20 most probable questions of entities and noun phrases. A source
    of over 50,000 characters loses its end and is flagged; long ones are read in windows of 384
    tokens that overlap by 128. Published models: valhalla/t5-base-qg-hl, lmqg/mt5-base-ruquad-qg
    (the template as it is); deepset/roberta-base-squad2, deepset/xlm-roberta-base-squad2. Each
    question is kept with both answers.

Example
    >>> bound = METRIC.bind({"questions": "my-t5", "answers": "my-squad2", "method": "questeval"})
    >>> bound.models, bound.score_names
    (('my-t5', 'my-squad2'), ('qa_consistency', 'qa_precision', 'qa_recall'))
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from inference.batching import plan_in_order
from inference.protocol import DType, Models
from metrics.core import grounding
from metrics.core.evidence import FLAG, Evidence
from metrics.core.grounding import Grounding
from metrics.core.metric import Flag, Item, Metric, Params, Reads, Score, Source
from metrics.core.rows import Floats, Ints, Settled, average, mean
from metrics.questioning.evidence import OF_OUTPUT, OF_SOURCE, AnsweredQuestion, columns, shown
from metrics.questioning.generation import (
    FIELDS,
    HIGHLIGHT,
    GeneratedQuestions,
    Keep,
    Question,
    answer_questions,
    generate_questions,
    keep_questions,
)
from metrics.text.bags import bag, f1_or_neither
from metrics.text.normalization import Normalization

NOTHING_ASKED, NO_QUESTION, NO_SOURCE, CUT = 1, 2, 3, 4  # flags
FLAGS = {
    NOTHING_ASKED: Flag("no name, number or phrase that could be asked about", missing=True),
    NO_QUESTION: Flag("no question is left: `keep` says which are asked", missing=True),
    NO_SOURCE: Flag("no text to answer the questions", missing=True),
    CUT: Flag("a text is longer than what is read of it: it lost its end", missing=False),
}
LONGEST_TEXT = 50_000  # characters of an output or source that are read
BATCH_BYTES, BATCH_ITEMS = 65_536, 32  # between two looks at whether to go on


class QaConsistencyParams(Params):
    """The models, which questions are asked, and how answers are compared."""

    questions: str = Field(
        description="an encoder-decoder that writes a question for an answer that is highlighted"
    )
    answers: str = Field(description="an extractive question answering model")
    method: Literal["qags", "questeval"] = "qags"
    source: Literal[Grounding, "references"] = Field("auto", description=grounding.ABOUT)
    template: str = Field(
        "generate question: {highlighted}",
        max_length=1000,
        description="what the question model is given: {highlighted} is the passage with "
        f"{HIGHLIGHT} before and after the answer, {{passage}} and {{answer}} are those alone",
    )
    max_questions: int = Field(20, ge=1, le=100, description="of a text")
    keep: Literal["auto", "consistent", "answered", "all"] = Field(
        "auto",
        description="questions that are asked: consistent: those that their own text answers as "
        "expected; answered: those it answers; auto: consistent of qags, all of questeval",
    )
    no_answer: bool = Field(
        True, description="may the answering model find no answer (SQuAD 2.0); false: of SQuAD 1.1"
    )
    num_beams: int = Field(4, ge=1, le=10, description="hypotheses of a question; 1: greedy")
    normalization: Normalization = Field("squad", description="of answers; squad: English")
    dtype: DType = "float32"

    @field_validator("template")
    @classmethod
    def _names_the_answer(cls, template: str) -> str:
        if not {"highlighted", "answer"} & {*FIELDS.findall(template)}:
            message = "the template has neither {highlighted} nor {answer}"
            raise PydanticCustomError("template", message)
        return template

    @model_validator(mode="after")
    def _may_find_no_answer(self) -> Self:
        if self.method == "questeval" and not self.no_answer:
            message = "questeval needs a model that may find no answer: no_answer: true, or qags"
            raise PydanticCustomError("no_answer", message)
        return self

    @property
    def kept(self) -> Keep:
        """The paper's own filter where none is asked for."""
        if self.keep != "auto":
            return self.keep
        return "consistent" if self.method == "qags" else "all"


def needs(params: QaConsistencyParams) -> tuple[Reads, ...]:
    """The source, unless any will do."""
    return (params.source,) if params.source == "references" else grounding.reads(params.source)


def scores(params: QaConsistencyParams) -> tuple[Score, ...]:
    """QuestEval's parts, too, where it is asked for."""
    whole = Score("qa_consistency", True, high=1.0, about="agreement of answers")
    if params.method == "qags":
        return (whole,)
    return (
        whole,
        Score("qa_precision", True, high=1.0, about="F1 of the source's answers"),
        Score("qa_recall", True, high=1.0, about="how far the source's questions are answered"),
    )


def source_of(item: Item, params: QaConsistencyParams) -> str:
    """What the output is held against, as one text."""
    own = item.references if params.source == "references" else grounding.texts(item, params.source)
    return "\n\n".join(own)


def measure(items: Sequence[Item], params: QaConsistencyParams, models: Models) -> Evidence:
    """Questions with their answers: see metrics/questioning/evidence.py."""
    whole = [(item.output, source_of(item, params)) for item in items]
    texts = [(output[:LONGEST_TEXT], source[:LONGEST_TEXT]) for output, source in whole]
    both = params.method == "questeval"
    asking = list(dict.fromkeys(text for pair in texts for text in pair[: 1 + both]))
    model = models.seq2seq(params.questions, params.dtype)
    generated = generate_questions(
        asking, model, params.template, params.max_questions, params.num_beams
    )
    reader = models.answers(params.answers, params.dtype)
    kept = keep_questions(
        generated, asking, reader, params.kept, params.normalization, params.no_answer
    )
    of = dict(zip(asking, zip(generated, kept, strict=True), strict=True))
    flags = [_flag(pair, of) for pair in texts]
    put = [
        (index, group, question, pair[1 - group])
        for index, pair in enumerate(texts)
        if not flags[index]
        for group in range(1 + both)
        for question in of[pair[group]][1]
    ]
    answers = answer_questions([(q.text, text) for *_, q, text in put], reader, params.no_answer)
    each: list[list[AnsweredQuestion]] = [[] for _ in items]
    for (index, group, question, _), (found, answer) in zip(put, answers, strict=True):
        f1 = _f1(question, found, params) if group == OF_OUTPUT else 0.0
        each[index].append(AnsweredQuestion(question, group, found, answer.answerable, f1))
    for index, pair in enumerate(whole):
        cut = any(of[text][0].cut for text in texts[index] if text in of)
        if not flags[index] and (cut or max(map(len, pair)) > LONGEST_TEXT):
            flags[index] = CUT
    return _evidence(each, flags)


def _flag(pair: tuple[str, str], of: dict[str, tuple[GeneratedQuestions, list[Question]]]) -> int:
    """Why the item cannot be measured; 0 where it can."""
    if not pair[1].strip():
        return NO_SOURCE
    own = [of[text] for text in pair if text in of]
    if not all(asked.candidates for asked, _ in own):
        return NOTHING_ASKED
    return 0 if all(questions for _, questions in own) else NO_QUESTION


def _f1(question: Question, found: str, params: QaConsistencyParams) -> float:
    expected = question.own if params.method == "qags" else question.expected
    how = params.normalization
    return f1_or_neither(bag(found, how), bag(expected, how))


def _evidence(each: Sequence[Sequence[AnsweredQuestion]], flags: Sequence[int]) -> Evidence:
    parts = [columns(answered) for answered in each]
    ragged: dict[str, list[NDArray[Any]]] = {name: [] for name in columns([])}
    for part in parts:
        for name, values in part.items():
            ragged[name].append(values)
    return Evidence.of_ragged(ragged, {FLAG: np.array(flags, np.uint8)})


def single(evidence: Evidence, params: QaConsistencyParams) -> Floats:
    """(n_items, n_scores) each item's own values; 0 where it has no question."""
    f1, answerable = (evidence[name].astype(np.float64) for name in ("f1", "answerable"))
    group = evidence["group"]
    found = np.zeros((len(evidence), len(scores(params))))
    for at, (start, stop) in enumerate(pairwise(evidence.columns["f1"].offsets.tolist())):
        own = group[start:stop]
        if stop == start:
            continue
        precision = float(f1[start:stop][own == OF_OUTPUT].mean())
        if params.method == "qags":
            found[at] = precision
            continue
        recall = float(answerable[start:stop][own == OF_SOURCE].mean())
        total = precision + recall
        found[at] = (2 * precision * recall / total if total else 0.0), precision, recall
    return found


def settle(evidence: Evidence, unit: Ints, params: QaConsistencyParams) -> Settled:
    """Rows (values, 1)."""
    values = single(evidence, params)
    return Settled(average(np.hstack([values, np.ones((len(values), 1))]), unit))


def plan(items: Sequence[Item], params: QaConsistencyParams, models: Models) -> list[list[int]]:
    """In order, by the bytes of all texts: outputs about the same source meet in a batch."""
    sizes = [len(item.output.encode()) + len(source_of(item, params).encode()) for item in items]
    return plan_in_order(sizes, BATCH_BYTES, BATCH_ITEMS)


METRIC = Metric(
    name="qa_consistency",
    version=1,
    about="Whether output and source answer questions about the output alike (QAGS, QuestEval).",
    formula="mean over the output's questions of F1(answer in the output, answer in the source)",
    avoid=(
        "Short outputs without names or numbers; paraphrased answers, which share no word. Two "
        "models' faults and languages are the metric's, and candidates come by rules."
    ),
    params=QaConsistencyParams,
    reads=("output", "prompt", "references", "contexts"),
    needs=needs,
    scores=scores,
    interval="wilson",
    source=Source(
        "Wang et al. 2020, arXiv:2004.04228; Scialom et al. 2021, arXiv:2103.12693",
        "the definitions, with `transformers` called by hand; F1 as SQuAD 2.0's script",
    ),
    measure=measure,
    settle=settle,
    single=single,
    verdicts=lambda evidence, params: shown(evidence, own=params.method == "qags"),
    reduce=mean,
    libraries=("transformers", "regex", "razdel", "sentencex"),
    models=lambda params: (params.questions, params.answers),
    model_kinds={"questions": "seq2seq", "answers": "answers"},
    flags=FLAGS,
    plan=plan,
    cached=True,
)
