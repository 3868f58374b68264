"""`make chaos`: what it kills is known for what it is, and what is wrong would be seen."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from assay import AssayError, Client
from chaos.clients import Outcome, Patience
from chaos.service import VICTIMS, role_of
from chaos.verdict import distance, doubled, kinds
from chaos.work import EVERY, Values
from tests.service.texts import samples

LEXICAL, PERPLEXITY = EVERY[0], EVERY[1]


@pytest.mark.parametrize(
    ("line", "top", "role"),
    [
        ("python -m service.serve.api", True, "API"),
        ("python -m service.cli worker --device cpu --queues now,score,train", True, "worker"),
        ("python -m service.jobs.compute --channel=7 --device=cpu", False, "compute"),
        ("python -m trainers.job.process /data/spec.json", False, "training"),
        ("/package/bin/postgres -D /data/postgres --jit=off", True, "postmaster"),
        ("postgres: assay: assay assay [local] idle", False, "backend"),
        ("postgres: assay: checkpointer ", False, None),
        ("bwrap --unshare-all python -", False, None),
    ],
)
def test_processes_are_known_by_their_command_lines(line: str, top: bool, role: str | None) -> None:
    found = role_of(line.split(" ") if not line.startswith("postgres:") else [line], top)
    assert found == role
    assert role is None or role in VICTIMS


def test_what_is_lost_or_changed_is_seen() -> None:
    right: Values = {"bleu value": 40.0, "bleu low": None}
    close = {"bleu value": 40.0 * (1 + 2**-20), "bleu low": None}
    outcomes = [
        Outcome(LEXICAL, "a", "eval_a", right),
        Outcome(LEXICAL, "b", "eval_b", close),
        Outcome(LEXICAL, "c", "eval_c", None, "it failed"),
        Outcome(LEXICAL, "d", None, None, "nobody answered"),
        Outcome(PERPLEXITY, "e", "eval_e", close),
    ]
    lexical, perplexity = kinds(outcomes, {"lexical": right, "perplexity": right})
    assert (lexical.asked, lexical.accepted, lexical.lost, lexical.changed) == (4, 3, 2, 1)
    assert lexical.apart == pytest.approx(2**-20, rel=1e-3)
    assert (perplexity.lost, perplexity.changed) == (0, 0)  # within its model's rounding


def test_a_number_that_lacks_is_no_small_difference() -> None:
    assert distance({"a": 1.0}, {"b": 1.0}) == math.inf
    assert distance({"a": 1.0}, {"a": None}) == math.inf
    assert distance({"a": None}, {"a": None}) == 0.0


def test_what_is_there_twice_is_seen(assay: Client) -> None:
    made = [
        assay.evaluate(system=system, dataset="chaos", samples=samples(2), metrics="length")
        for system in ("chaos-once", "chaos-twice", "chaos-twice")
    ]
    outcomes = [Outcome(LEXICAL, one.system, one.id, {}) for one in made]
    found = doubled(assay, outcomes)
    assert "chaos-twice" in found
    assert "chaos-once" not in found


def test_clients_ask_until_they_are_answered() -> None:
    refusals: Counter[int | None] = Counter()
    answers = iter([503, None, 200, 422])

    def ask() -> int:
        status = next(answers)
        if status != 200:
            raise AssayError("no", code="no", method="GET", url="http://x", status=status)
        return status

    patience = Patience(60.0, refusals)
    assert patience.insist(ask) == 200
    assert refusals == {503: 1, None: 1}
    with pytest.raises(AssayError):
        patience.insist(ask)  # 422 is an answer
