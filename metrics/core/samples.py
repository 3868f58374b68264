"""What is measured: samples, and one output of a sample at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from inference.protocols.conversation import prompt_of
from metrics.core.choices import Choices
from metrics.core.details import Details
from metrics.core.instructions import Instruction


@dataclass(frozen=True, slots=True)
class Sample:
    """One unit of evaluation: what was asked, what came out, what it is compared with.

    opponent  another system's output, of metrics that compare with one (`Metric.opponent`)
    """

    id: str
    outputs: tuple[str, ...]
    references: tuple[str, ...] = ()
    prompt: str | None = None
    tests: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    opponent: str | None = None
    details: tuple[Details, ...] = ()  # of each output; none where outputs were given

    @classmethod
    def of(
        cls, record: Mapping[str, object], outputs: Sequence[str], id: str | None = None
    ) -> Sample:
        """The sample of a dataset's record and the outputs for it.

        record  `id`, and where it has them `references`, `prompt`, `tests`, `metadata`; of a pair,
                `rejected` is what the output is compared with; `messages` are a prompt as text
        id      the sample's id in place of the record's
        """
        worse = [record["rejected"]] if "rejected" in record else ()
        return cls(
            id=cast(str, record["id"]) if id is None else id,
            outputs=tuple(outputs),
            references=tuple(cast(Sequence[str], record.get("references") or worse)),
            prompt=prompt_of(record),
            tests=cast(str | None, record.get("tests")),
            metadata=cast(Mapping[str, Any], record.get("metadata") or {}),
        )


class Item(NamedTuple):
    """One output with what it is measured against. Equal items have equal evidence.

    A named tuple, as there is one of each output: a frozen dataclass takes longer.
    """

    output: str
    references: tuple[str, ...] = ()
    prompt: str | None = None
    tests: str | None = None
    opponent: str | None = None
    details: Details | None = None
    choices: Choices | None = None
    contexts: tuple[str, ...] = ()
    instructions: tuple[Instruction, ...] = ()
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Opponent:
    """Whose outputs are compared with: an evaluation's, or a system's newest on the dataset."""

    evaluation: str | None
    system: str | None
    param: str  # the parameter that names it, as "against"
