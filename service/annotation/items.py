"""What is judged, made of systems' outputs for the same samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, cycle
from random import Random

from metrics.statistics.designs import balanced
from service.annotation.items_store import Made

EQUAL, WITHOUT = "equal_outputs", "without_output"  # why there is no item
LEAST_SHOWN = 3  # outputs of a tuple
MOST_BLOCKS = 1000  # of a design, which starts again after them


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
    """An item for each sample: `size` of its different texts, by a balanced design over the samples
    whose texts are of the same systems. Samples with fewer than three are left out."""
    different = [_different(one.outputs, random) for one in samples]
    alike = Counter(different)
    designs = {names: _design(names, size, alike[names], random) for names in alike}
    for one, names in zip(samples, different, strict=True):
        if len(names) < LEAST_SHOWN:
            left_out[EQUAL] += 1
        else:
            yield _item(one, next(designs[names]))


def _design(
    names: tuple[str, ...], size: int, samples: int, random: Random
) -> Iterator[tuple[str, ...]]:
    """Tuples without end, in which systems, and pairs of them, meet about equally often."""
    if len(names) >= LEAST_SHOWN:
        blocks = min(samples, MOST_BLOCKS)
        design = balanced(len(names), min(size, len(names)), blocks, seed=random.getrandbits(32))
        for block in cycle(design.tolist()):
            yield tuple(names[at] for at in sorted(block))


def _different(outputs: Mapping[str, str], random: Random) -> tuple[str, ...]:
    """Systems whose texts differ, by name: of those with the same one, any."""
    by_text: dict[str, list[str]] = {}
    for system in sorted(outputs):
        by_text.setdefault(outputs[system].strip(), []).append(system)
    return tuple(sorted(random.choice(systems) for systems in by_text.values()))


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
