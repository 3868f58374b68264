"""What is judged, made of systems' outputs for the same samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random

from service.annotation.items_store import Made

EQUAL, WITHOUT = "equal_outputs", "without_output"  # why there is no item


@dataclass(frozen=True, slots=True)
class SampleOutputs:
    """What systems said of one sample, by system; those without an output are not there."""

    dataset: str
    sample: str
    prompt: str | None
    outputs: Mapping[str, str]


def single(samples: Sequence[SampleOutputs]) -> Iterator[Made]:
    """An item for each output. Texts that several systems have are judged once for each."""
    for one in samples:
        for system in one.outputs:
            yield _item(one, [system])


def pairs(
    samples: Sequence[SampleOutputs], controls: bool, left_out: Counter[str]
) -> Iterator[Made]:
    """An item for each two systems with different texts. Pairs of equal ones are items that a tie
    is expected of (`controls`), or counted in `left_out`."""
    for one in samples:
        for a, b in combinations(sorted(one.outputs), 2):
            if not _equal(one.outputs[a], one.outputs[b]):
                yield _item(one, [a, b])
            elif controls:
                yield _item(one, [a, b], kind="control", expected={"choice": "tie"})
            else:
                left_out[EQUAL] += 1


def tuples(
    samples: Sequence[SampleOutputs], size: int, random: Random, left_out: Counter[str]
) -> Iterator[Made]:
    """An item for each sample: `size` of its different texts, such that systems, and pairs of them,
    are shown about equally often over all samples. Samples with fewer than three are left out."""
    shown: Counter[str] = Counter()
    together: Counter[frozenset[str]] = Counter()
    for one in samples:
        different = _different(one.outputs, random)
        if len(different) < 3:
            left_out[EQUAL] += 1
            continue
        chosen: list[str] = []
        while len(chosen) < min(size, len(different)):
            chosen.append(min(different - {*chosen}, key=_seldom(shown, together, chosen, random)))
        shown.update(chosen)
        together.update(frozenset(pair) for pair in combinations(chosen, 2))
        yield _item(one, sorted(chosen))


def _seldom(
    shown: Counter[str], together: Counter[frozenset[str]], chosen: Sequence[str], random: Random
) -> Callable[[str], tuple[int, int, float]]:
    """A key: how seldom a system was shown with those chosen, and at all; equal ones at random."""

    def key(system: str) -> tuple[int, int, float]:
        met = sum(together[frozenset((system, other))] for other in chosen)
        return met, shown[system], random.random()

    return key


def _different(outputs: Mapping[str, str], random: Random) -> set[str]:
    """Systems whose texts differ: of those with the same one, any."""
    by_text: dict[str, list[str]] = {}
    for system in sorted(outputs):
        by_text.setdefault(outputs[system].strip(), []).append(system)
    return {random.choice(systems) for systems in by_text.values()}


def _equal(a: str, b: str) -> bool:
    return a.strip() == b.strip()


def _item(
    one: SampleOutputs,
    systems: Sequence[str],
    kind: str = "item",
    expected: Mapping[str, str] | None = None,
) -> Made:
    return Made(
        kind=kind,
        prompt=one.prompt,
        outputs=[one.outputs[system] for system in systems],
        systems=systems,
        dataset=one.dataset,
        sample=one.sample,
        expected=expected,
    )
