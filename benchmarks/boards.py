"""A board of 200 systems × 3,000 samples, from a landing to the answer, and one of 10,000 rows.

The service measures the first system and the last one over HTTP; the systems between are mixtures
of the first one's stored rows, stored as an evaluation's closing stores its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from statistics import median

import httpx
import numpy as np
from sqlalchemy import Connection, Engine, insert

from assay import Client
from benchmarks.comparing import Row, bound, timed
from benchmarks.service import address, running
from benchmarks.texts import news
from metrics.core.compare import Testing, compare
from metrics.core.metric import Sample
from metrics.core.packing import pack, unpack
from metrics.core.result import Result
from metrics.statistics.many import two_sided
from metrics.statistics.resampling import evaluate, replicate
from metrics.statistics.weights import totals, unit_keys
from service.datasets import store as datasets
from service.db.engine import connect
from service.db.tables import evaluations as evaluation_table
from service.db.tables import scores as score_table
from service.evaluations import scores as results
from service.evaluations import store as evaluations
from service.evaluations.plans import MetricRequest
from service.evaluations.scores import Score
from service.leaderboards import store as leaderboards
from service.leaderboards.boards import refresh
from service.leaderboards.boards_store import BoardKey, find, landed
from service.leaderboards.pair_tests import pairs_between
from service.leaderboards.paired import PairedResult, paired_results
from service.leaderboards.standings import MOST_TESTED
from service.settings import Settings

SYSTEMS, SAMPLES, MANY = 200, 3000, 10_000
LANDED, READ, READ_MANY = 10.0, 50.0, 100.0  # seconds, milliseconds, milliseconds
PAIRS = 300  # tested one by one
READS = 15
PATIENCE = 300.0
NAME, SCORE = "board", "chrf"


def rows(scale: float) -> Iterator[Row]:
    systems, size = max(4, int(SYSTEMS * scale)), max(30, int(SAMPLES * scale))
    samples = news(size, seed=0).samples
    with running() as settings, ExitStack() as stack:
        url = address(settings)
        engine = connect(settings.url)
        stack.callback(engine.dispose)
        assay = stack.enter_context(Client(url, timeout=PATIENCE))
        first = _measured(assay, "first", samples)
        _fill(engine, first, systems - 2)
        yield _landing(engine, assay, samples, systems)
        yield _agreement(engine, settings)
        yield _reading(url, systems, READ)
        many = max(systems + 1, int(MANY * scale))
        with engine.begin() as db:
            _crowd(db, many - systems)
        _, spent = timed(lambda _: _update(engine, settings), None)
        yield _reading(
            url, many, READ_MANY, f"a page of {min(many, MOST_TESTED)}; computed in {spent:.1f} s"
        )


def _measured(assay: Client, system: str, samples: Sequence[Sample]) -> str:
    sent = [
        {"id": one.id, "output": one.outputs[0], "references": list(one.references)}
        for one in samples
    ]
    made = assay.evaluate(system=system, dataset=NAME, samples=sent, metrics=[SCORE])
    done = assay.wait(made.id, timeout=PATIENCE)
    if done.status != "succeeded":
        raise SystemExit(f"the evaluation {done.status}: {done.error}")
    return made.id


def _fill(engine: Engine, first: str, count: int) -> None:
    """`count` systems whose samples' rows are the first one's, each of another sample at random."""
    with engine.begin() as db:
        (score,) = results.read_scores(db, [first])[first]
        (packed,) = results.results_of(db, first)
        ids = datasets.read_ids(db, score.dataset_id)
        (paired,) = paired_results(db, Settings(), [score])
    if paired is None:
        raise SystemExit("the first system's result is gone")
    keys = unit_keys(ids)
    chance = np.random.default_rng(0)
    for system in range(count):
        mixed = _mixed(unpack(packed), paired, keys, chance, share=0.2 + 0.6 * system / count)
        with engine.begin() as db:
            _store(db, score, f"system {system}", mixed)


def _mixed(
    one: Result, paired: PairedResult, keys: np.ndarray, chance: np.random.Generator, share: float
) -> Result:
    own = one.settled.rows
    moved = chance.random(len(own)) < share
    rows = np.where(moved[:, None], own[chance.permutation(len(own))], own)
    drawn = replicate(rows, keys, paired.metric.reduce, one.seed, 1000)
    value = float(evaluate(paired.metric.reduce, totals(rows))[paired.index])
    return replace(
        one,
        scores=(replace(one.scores[0], value=value),),
        settled=replace(one.settled, rows=rows),
        replicates=drawn,
    )


def _store(db: Connection, like: Score, system: str, result: Result) -> None:
    evaluation = evaluations.create(
        db,
        system=system,
        dataset_id=like.dataset_id,
        size=len(result.missing),
        metrics=[MetricRequest(SCORE, {})],
        model=None,
        generation=None,
        slices=[],
        seed=result.seed,
        replicates=1000,
        level=like.level,
    )
    results.keep_result(db, evaluation, 0, pack(result))
    results.replace_scores(db, evaluation, [_score_row(like, result.scores[0].value)])
    evaluations.lock(db, evaluation)
    evaluations.finish(db, evaluation, "succeeded", {})


def _score_row(like: Score, value: float | None) -> dict[str, object]:
    shown = ("position", "name", "slice", "level", "n", "missing", "higher_is_better")
    more = ("interval_method", "signature", "warnings", "error")
    found = {name: getattr(like, name) for name in (*shown, *more)}
    half = ((like.high or 0.0) - (like.low or 0.0)) / 2
    return found | {"value": value, "low": (value or 0.0) - half, "high": (value or 0.0) + half}


def _landing(engine: Engine, assay: Client, samples: Sequence[Sample], systems: int) -> Row:
    """From the end of the last evaluation to the stored board that has it."""
    last = _measured(assay, "last", samples)
    with engine.begin() as db:
        ended = evaluations.get(db, last)
    if ended is None or ended.finished_at is None:
        raise SystemExit("the last evaluation has not ended")
    key = BoardKey(ended.dataset_id, SCORE)
    begun = time.monotonic()
    while True:
        with engine.begin() as db:
            board, now = find(db, key), landed(db, NAME)
        if board is not None and board.knows(now):
            break
        if time.monotonic() - begun > PATIENCE:
            raise SystemExit("the board was not computed")
        time.sleep(0.05)
    # `computed_at` is when its transaction began: the clock says when it could be read
    spent = time.time() - ended.finished_at.timestamp()
    pairs = systems * (systems - 1) // 2
    return bound(
        f"board of {systems} systems × {len(samples)} samples after a landing: {pairs} paired "
        "tests, Holm, step-down",
        spent,
        LANDED,
        "s",
    )


def _agreement(engine: Engine, settings: Settings) -> Row:
    """All pairs at once against some of them one by one."""
    with engine.begin() as db:
        dataset = datasets.require(db, NAME)
        scores = leaderboards.board(db, dataset.id, SCORE, "")
        paired = [one for one in paired_results(db, settings, scores) if one is not None]
    found, at_once = timed(lambda _: pairs_between(paired).pairs, None)
    chance = np.random.default_rng(0)
    furthest, begun = 0.0, time.perf_counter()
    n = len(paired[0].ids)
    for _ in range(PAIRS):
        a, b = chance.choice(len(paired), 2, replace=False).tolist()
        left, right = paired[a], paired[b]
        (one,) = compare(left.metric, left.result, left.ids, right.result, right.ids, Testing())
        if one.difference is None:
            raise SystemExit(f"a pair cannot be tested: {one.error}")
        error = one.difference.error * (n / (n - 1)) ** 0.5
        p_value = two_sided(np.array(one.difference.value), np.array(error), n)
        furthest = max(furthest, float(abs(p_value - found.p_values[a, b])))
    each = (time.perf_counter() - begun) / PAIRS
    pairs = len(paired) * (len(paired) - 1) // 2
    return Row(
        f"its {pairs} paired tests alone, against one by one",
        f"{at_once:.3f} s",
        f"{each * pairs:.1f} s",
        f"{each * pairs / at_once:.0f}×",
        "",
        f"p-values of {PAIRS} pairs within {furthest:.1g}",
        agrees=furthest < 1e-9,
    )


def _reading(url: str, systems: int, limit: float, agreement: str = "") -> Row:
    spent = []
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        for _ in range(READS):
            answer, seconds = timed(
                lambda _: client.get(f"{url}/v1/leaderboards/{NAME}?metric={SCORE}"), None
            )
            board = answer.raise_for_status().json()
            if board["size"] != systems or board["pending"]:
                raise SystemExit(f"a board of {board['size']}, {board['pending']} pending")
            spent.append(seconds * 1000)
    return bound(f"GET of the board of {systems} systems", median(spent), limit, "ms", agreement)


def _crowd(db: Connection, count: int) -> None:
    """`count` systems more that have a value and an interval."""
    dataset = datasets.require(db, NAME)
    like = leaderboards.board(db, dataset.id, SCORE, "")[0]
    chance = np.random.default_rng(1)
    ids = [
        evaluations.create(
            db,
            system=f"crowd {number}",
            dataset_id=dataset.id,
            size=like.n,
            metrics=[MetricRequest(SCORE, {})],
            model=None,
            generation=None,
            slices=[],
            seed=0,
            replicates=1000,
            level=like.level,
        )
        for number in range(count)
    ]
    values = like.value * (1 - 0.3 * chance.random(count))
    db.execute(
        insert(score_table),
        [
            {"evaluation_id": id, **_score_row(like, value)}
            for id, value in zip(ids, values.tolist(), strict=True)
        ],
    )
    db.execute(
        evaluation_table.update()
        .where(evaluation_table.c.id.in_(ids))
        .values(status="succeeded", finished_at=like.finished_at)
    )


def _update(engine: Engine, settings: Settings) -> None:
    with engine.begin() as db:
        dataset = datasets.require(db, NAME)
        refresh(db, settings, dataset, BoardKey(dataset.id, SCORE))
