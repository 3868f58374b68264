"""Labels: what an output says, and what it should have said, of a few classes or choices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from xxhash import xxh64_intdigest

from inference.protocols.answers import taken
from metrics.core.choices import Choices
from metrics.core.metric import Item, Sample
from metrics.text.equality import equal
from metrics.text.extraction import Extraction
from metrics.text.normalization import Normalization, normalize

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
NUMBERS = ("solution", "last_number")  # ways to take an answer that is then compared in value


class LabelParams(Extraction):
    """What of an output is the label, and how labels are made comparable."""

    normalization: Normalization = Field(
        "unicode",
        description="`unicode`: NFKC, case folded, no punctuation; `squad`: SQuAD 1.1's, English; "
        "`none`: as they are",
    )

    def said(self, output: str, choices: Choices | None = None) -> str | None:
        """The label of an output; None where there is none."""
        if choices is not None and self.take == "choice" and self.choices is None:
            letters = LETTERS[: max(2, len(choices.texts))]
            found = self.model_copy(update={"choices": letters}).extract(output)
        else:
            found = self.extract(output)
        return None if found is None else self.comparable(found)

    def comparable(self, label: str) -> str:
        """A label as it is compared: signs alone stay as they are."""
        return normalize(label, self.normalization) or label.strip()

    def wanted(self, item: Item) -> list[str]:
        """The right labels: references, or of a multiple choice the letter and the text."""
        found = [self.of_reference(reference) for reference in item.references]
        if item.choices is not None:
            right = item.choices.answer
            found += [*LETTERS[right : right + 1], item.choices.texts[right]]
        return [self.comparable(one) for one in found]

    def of_reference(self, reference: str) -> str:
        """A reference's label: of "(B)" the letter, where letters are asked for."""
        own = taken(self, reference).text if self.take == "choice" else None
        return own or reference

    def right(self, item: Item) -> bool | None:
        """Whether an output has one of the right labels; None where it has no label."""
        said = self.said(item.output, item.choices)
        if said is None:
            return None
        if said in self.wanted(item):
            return True
        if self.take not in NUMBERS:
            return False
        number = self.extract(item.output) or ""
        return any(equal(reference, number) for reference in item.references)


def code(label: str | None) -> int:
    """64 bits that name a label, never 0; 0 for none."""
    return 0 if label is None else xxh64_intdigest(label.encode()) or 1


def codes(items: list[Item], params: LabelParams) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(n_items,) what each output says, 0 for nothing; and what it should have said: the reference
    that it equals, or else the first."""
    said, wanted = np.zeros((2, len(items)), np.uint64)
    for index, item in enumerate(items):
        label, right = params.said(item.output), params.wanted(item)
        said[index] = code(label)
        wanted[index] = code(label if label in right else right[0])
    return said, wanted


def lacks_label(sample: Sample) -> bool:
    """Whether a sample has neither references nor a right choice."""
    return not sample.references and Choices.of(sample.metadata) is None
