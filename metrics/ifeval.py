"""IFEval: does the output follow instructions that a program can check?

Conventions
    A sample's metadata has `instruction_id_list` and `kwargs`, as the published data set has them:
    25 kinds of instructions, as length_constraints:number_words with {"num_words": 300,
    "relation": "at least"}. Arguments that are null are left out; those that lack are an error.

    ifeval_prompt_strict       share of outputs that follow all of their instructions
    ifeval_instruction_strict  share of instructions that are followed, over all samples
    ifeval_prompt_loose        as strict, where an instruction also counts as followed when the
    ifeval_instruction_loose   output follows it without stars, its first line or its last line

    0..1, higher is better. An empty output follows nothing. Several outputs are averaged, each
    instruction of each of them. Checks are those of instruction_following_eval, with these
    differences: sentences are razdel's in Russian and sentencex's elsewhere, where it has NLTK's
    Punkt, which takes a download; a language is py3langid's, as of the metric `language`, among the
    53 that langdetect has too, and text in capitals is lower-cased before; keywords and markers
    stand for themselves and are no regular expressions; a letter may be any character. A text
    that tells no language counts as of any. Each instruction's verdicts are kept.

Zhou, Lu, Mishra, Brahma, Basu, Luan, Zhou, Hou: Instruction-Following Evaluation for Large Language
Models (2023).

Example
    >>> from metrics.core.metric import Sample
    >>> from metrics.core.run import score
    >>> asked = {
    ...     "instruction_id_list": ["punctuation:no_comma", "detectable_format:title"],
    ...     "kwargs": [{}, {}],
    ... }
    >>> sample = Sample("1", ("<<Дождь>>\\nЗавтра в Москве, увы, дождь.",), metadata=asked)
    >>> (result,) = score([sample], [METRIC.bind()])
    >>> {score.name: score.value for score in result.scores}["ifeval_instruction_strict"]
    0.5
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import numpy as np
import orjson

from inference.batching import plan_in_order
from inference.errors import InputError
from inference.protocol import Models
from inference.sentences import Sentence
from metrics.core.evidence import NOTES, Evidence
from metrics.core.instructions import Instruction, instructions_of
from metrics.core.metric import Item, Metric, Params, Sample, Score, Source
from metrics.core.rows import Floats, Ints, Settled, average
from metrics.core.verdicts import Verdict
from metrics.text.instructions import Check, check_of, variants

SAID = ("not followed", "loosely followed", "followed")
LONGEST_NOTE = 300  # characters of an instruction that are kept to be read
MOST = 100  # instructions of a sample
BATCH = 256  # outputs between two looks at whether to go on


class IfevalParams(Params):
    """None: what is checked stands with the samples."""


def check(params: IfevalParams, samples: Sequence[Sample]) -> None:
    """Raises InputError for instructions that are unknown, or whose arguments are of no use."""
    for index, sample in enumerate(samples):
        try:
            _checks(instructions_of(sample.metadata))
        except InputError as error:
            where = f"samples[{index}].metadata"
            told = Sentence(
                "{place} (id {id!r:.100}): {why}", place=where, id=sample.id, why=error.message
            )
            raise InputError(told, where) from None


def _checks(instructions: Sequence[Instruction]) -> list[Check]:
    if len(instructions) > MOST:
        many = Sentence("more than {most} instructions", most=MOST)
        raise InputError(many, "instruction_id_list")
    return [check_of(one) for one in instructions]


def measure(items: Sequence[Item], params: IfevalParams, models: Models) -> Evidence:
    """`strict` and `loose` of each item's instructions, 0 or 1; the instructions as notes."""
    strict, loose, notes = [], [], []
    for item in items:
        checks = _checks(item.instructions)
        others = variants(item.output)[1:]
        followed = [one.strict(item.output) for one in checks]
        strict.append(np.array(followed, np.uint8))
        loosely = (
            yes or any(map(one.strict, others)) for one, yes in zip(checks, followed, strict=True)
        )
        loose.append(np.fromiter(loosely, np.uint8, len(checks)))
        told = [f"{id} {given}"[:LONGEST_NOTE] for id, given in item.instructions]
        notes.append(np.frombuffer(orjson.dumps(told), np.uint8))
    return Evidence.of_ragged({"strict": strict, "loose": loose, NOTES: notes})


def verdicts(evidence: Evidence, params: IfevalParams) -> list[list[Verdict]]:
    """Of each item, which of its instructions are followed."""
    strict, loose = (evidence[name].astype(np.int64) for name in ("strict", "loose"))
    followed = (strict + loose).tolist()
    starts, ends = (evidence.columns[name].offsets.tolist() for name in ("strict", NOTES))
    found = []
    for start, (first, last) in zip(starts[:-1], pairwise(ends), strict=True):
        told = orjson.loads(evidence[NOTES][first:last].tobytes()) if last > first else []
        found.append([Verdict(text, SAID[followed[at]]) for at, text in enumerate(told, start)])
    return found


def _counts(evidence: Evidence) -> Floats:
    """(n_items, 6) all followed strictly and loosely, how many are, how many there are, and 1."""
    rows = np.ones((len(evidence), 6))
    columns = [evidence[name].astype(np.float64) for name in ("strict", "loose")]
    for at, (start, stop) in enumerate(pairwise(evidence.columns["strict"].offsets.tolist())):
        followed = [float(column[start:stop].sum()) for column in columns]
        rows[at, :5] = *(one == stop - start for one in followed), *followed, stop - start
    return rows


def settle(evidence: Evidence, unit: Ints, params: IfevalParams) -> Settled:
    """Rows of counts, and 1."""
    return Settled(average(_counts(evidence), unit))


def reduce(sums: Floats, params: IfevalParams) -> Floats:
    """(..., 6) -> (..., 4) shares of outputs, then of instructions."""
    with np.errstate(divide="ignore", invalid="ignore"):
        outputs, instructions = sums[..., :2] / sums[..., 5:], sums[..., 2:4] / sums[..., 4:5]
    return np.concatenate([outputs, instructions], -1)


SHARE = partial(Score, higher_is_better=True, high=1.0)

METRIC = Metric(
    name="ifeval",
    version=1,
    about="Share of instructions that outputs follow, as a program can check them (IFEval).",
    formula="instructions followed / instructions; outputs that follow all of theirs / outputs",
    avoid="As a measure of quality: an empty phrase follows many instructions. Sentences and "
    "languages are told by rules of thumb.",
    params=IfevalParams,
    reads=("output", "instructions"),
    needs=("output", "instructions"),
    scores=(
        SHARE("ifeval_prompt_strict", about="share of outputs that follow all instructions"),
        SHARE("ifeval_prompt_loose", about="likewise, less strictly"),
        SHARE("ifeval_instruction_strict", about="share of instructions that are followed"),
        SHARE("ifeval_instruction_loose", about="likewise, less strictly"),
    ),
    interval="wilson",
    source=Source(
        paper="Zhou et al. 2023, arXiv:2311.07911",
        reference="lm-evaluation-harness 0.4.13 (instruction_following_eval)",
    ),
    measure=measure,
    settle=settle,
    verdicts=verdicts,
    reduce=reduce,
    check=check,
    plan=lambda items, params, models: plan_in_order([1] * len(items), BATCH, BATCH),
    libraries=("py3langid", "nltk", "razdel", "sentencex"),
    independent=True,
)
