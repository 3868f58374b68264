"""Check digits of account numbers against python-stdnum: half of them hold."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np

from benchmarks.comparing import ROUNDS, Row, furthest, in_turns, ratio, rows_of
from metrics import find
from metrics.core.metric import Sample
from metrics.core.rows import Floats


def rows(scale: float) -> Iterator[Row]:
    from stdnum import iban

    metric = find("personal_data").bind({"kinds": ["iban"]})
    drawn = [_numbers(max(2, int(20_000 * scale)), seed) for seed in range(ROUNDS)]
    inputs = [[Sample(str(at), (one,)) for at, one in enumerate(numbers)] for numbers in drawn]

    def ours(samples: list[Sample]) -> Floats:
        return rows_of(metric, samples)[:, 0]

    def theirs(samples: list[Sample]) -> Floats:
        texts = [sample.outputs[0] for sample in samples]
        return np.array([iban.is_valid(one, check_country=False) for one in texts], np.float64)

    found = in_turns(inputs, ours, theirs)
    differing = max(furthest(a, b) for a, b in found.results)
    what = f"personal_data, {len(inputs[0])} IBANs found and checked, against python-stdnum"
    yield ratio(what, found, 5.0, "the same verdicts", agrees=differing == 0)


def _numbers(count: int, seed: int) -> list[str]:
    draw = random.Random(seed)
    found = []
    for number in range(count):
        account = f"{draw.randrange(10**18):018}"
        check = 98 - int(account + "131400") % 97  # DE as digits
        found.append(f"DE{(check + number % 2) % 100:02}{account}")
    return found
