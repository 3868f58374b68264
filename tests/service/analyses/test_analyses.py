"""Error analysis over HTTP: slices, clusters, disagreements, each where it was planted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, select, text

from assay import Analysis, AssayError, Client
from metrics.core.metric import Sample
from metrics.core.rows import Floats
from service.analyses import store
from service.analyses.clusters import clustered
from service.db.engine import connect
from service.db.tables import evaluations as table
from service.evaluations import store as evaluations
from tests.known import known
from tests.service.live import Live
from tests.service.scored import scored
from tests.tiny_models import build_language_model

TOPICS = ("weather rain storm cloud wind", "football goal match league coach", "дождь снег погода")
HOSTILE = ("<script>alert(1)</script>", "\u202eright to left", "🙂" * 50, "a" * 5000)


def samples(n: int = 180) -> list[dict[str, Any]]:
    """Answers that are wrong mostly on football, and where the level is hard."""
    draw = np.random.default_rng(0)
    made = []
    for at in range(n):
        topic, hard = at % 3, at % 4 == 0
        words = TOPICS[topic].split()
        asked = " ".join(draw.choice(words, 3, replace=False))
        wrong = draw.uniform() < (0.9 if topic == 1 else 0.5 if hard else 0.1)
        said = HOSTILE[at % 4] if wrong else f"the answer {at} is known"
        made.append(
            {
                "id": f"q{at}",
                "prompt": f"Tell about {asked}, number {at}",
                "output": said,
                "references": [f"the answer {at} is known"] * (1 + at % 2),
                "metadata": {"level": "hard" if hard else "easy", "page": at, "list": [1]},
            }
        )
    return made


@pytest.fixture(scope="module")
def evaluation(assay: Client) -> str:
    metrics = ["exact_match", "chrf", "length", "distinct_n"]
    return str(scored(assay, dataset="analysed", samples=samples(), metrics=metrics).id)


def test_where_the_score_is_lost(assay: Client, evaluation: str) -> None:
    found = assay.analysis(evaluation)
    assert found.metric == "exact_match"
    assert found.n == 180
    by = {(one.field, one.label): one for one in found.slices}
    hard = by["level", "hard"]
    assert hard.worse
    assert hard.significant
    low, high = known(hard.interval)
    assert low < hard.difference < high < 0
    assert hard.gain > 0
    assert known(hard.p_corrected) >= known(hard.p_value)
    own = {one["id"]: one for one in samples()}
    assert all(own[one.id]["metadata"]["level"] == "hard" for one in hard.examples)
    kinds = {one.kind for one in found.slices}
    assert kinds == {"metadata", "length", "language", "references", "novelty"}
    first = found.clusters[0]
    assert (first.kind, first.field) == ("texts", "prompt")
    assert first.significant
    assert set(first.words) & set(TOPICS[1].split())
    assert {one.value for one in found.worst} == {0.0}
    assert all(len(one.output or "") <= 500 for one in found.worst)
    pairs = {(one.a, one.b) for one in found.disagreements}
    assert ("exact_match", "chrf") in pairs


def test_an_analysis_is_kept_and_corrected_as_asked(assay: Client, evaluation: str) -> None:
    first = assay.analysis(evaluation, metric="chrf")
    again = assay.analysis(evaluation, metric="chrf", correction="none")
    assert again.computed_at == first.computed_at
    for one in again.slices:
        assert one.p_corrected == one.p_value


@pytest.mark.parametrize(
    ("metric", "said"), [("distinct_2", "whole set"), ("chrff", "chrf"), ("<b>", "no value")]
)
def test_what_cannot_be_taken_apart_is_told(
    assay: Client, evaluation: str, metric: str, said: str
) -> None:
    with pytest.raises(AssayError, match=said) as refused:
        assay.analysis(evaluation, metric=metric)
    assert (refused.value.status, refused.value.param) == (422, "metric")


def test_clusters_by_a_sentence_encoder(
    assay: Client, evaluation: str, tiny_language_model: Path
) -> None:
    words = assay.analysis(evaluation)
    found = assay.analysis(evaluation, clusters="embedding", encoder="tiny-language")
    assert (words.encoder, found.encoder) == (None, "tiny-language")
    assert {one.label for one in found.slices} == {one.label for one in words.slices}
    assert found.clusters
    assert {one.kind for one in found.clusters} == {"texts"}
    assert all(one.label and one.n >= 10 for one in found.clusters)
    assert any(one.words for one in found.clusters)
    places = [(one.n, one.label) for one in found.clusters]
    assert places != [(one.n, one.label) for one in words.clusters]
    again = assay.analysis(evaluation, clusters="embedding", encoder="tiny-language")
    assert [(one.n, one.label) for one in again.clusters] == places
    assert assay.analysis(evaluation).clusters == words.clusters


def test_an_encoder_that_finds_clusters_before_words_do(
    assay: Client, evaluation: str, tiny_language_model: Path
) -> None:
    first = assay.analysis(
        evaluation, metric="length", clusters="embedding", encoder="tiny-language"
    )
    assert first.clusters
    assert assay.analysis(evaluation, metric="length").encoder is None


def test_an_encoder_whose_files_change_finds_its_clusters_anew(
    assay: Client, evaluation: str, models_root: Path
) -> None:
    def found() -> Analysis:
        by = "tiny-changing"
        return assay.analysis(evaluation, metric="chrf", clusters="embedding", encoder=by)

    build_language_model(models_root / "tiny-changing", seed=1)
    first = found()
    assert found().computed_at == first.computed_at
    build_language_model(models_root / "tiny-changing", seed=2)
    changed = found()
    assert changed.computed_at > first.computed_at
    assert [one.n for one in changed.clusters] != [one.n for one in first.clusters]
    assert {one.label for one in changed.slices} == {one.label for one in first.slices}
    assert found() == changed


def test_workers_that_store_an_analysis_at_once_lose_nothing(
    live: Live, assay: Client, evaluation: str
) -> None:
    engine = connect(live.env["ASSAY_DATABASE_URL"])
    try:
        with engine.begin() as db:
            row = evaluations.get(db, evaluation)
            assert row is not None
            # one had seen nothing yet, two others the words' clusters alone
            for content in ({"slices": [1]}, {"embedded": {"a": 1}}, {"embedded": {"b": 2}}):
                store.keep(db, row, "planted", content)
            store.keep(db, row, "planted", {"slices": [1]})
            found = known(store.find(db, row, "planted"))
            assert found.content == {"slices": [1], "embedded": {"a": 1, "b": 2}}
            db.rollback()
    finally:
        engine.dispose()


COMPUTED = text(
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND"
    " datname = current_database() AND query LIKE '%FOR NO KEY UPDATE%'"
)
TASKS = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'analysis.compute'"
TAKEN = text(TASKS + " AND status = 'doing'")
WORKERS = text("SELECT count(*) FROM procrastinate_workers")


def within(seconds: float, engine: Engine, query: Any, count: int) -> bool:
    """Whether a query counts so many, or more, by then."""
    for _ in range(int(seconds * 20)):
        with engine.connect() as db:
            if int(db.scalar(query) or 0) >= count:
                return True
        time.sleep(0.05)
    return False


@pytest.mark.slow  # a second worker starts
def test_who_asks_for_the_same_at_once_waits_for_one_analysis(live: Live, assay: Client) -> None:
    asked = scored(assay, dataset="at once", samples=samples(60), metrics=["exact_match"]).id
    engine = connect(live.env["ASSAY_DATABASE_URL"])
    with engine.connect() as db:
        before = int(db.scalar(WORKERS) or 0)
    other = live.worker(queues="score")
    try:
        assert within(20, engine, WORKERS, before + 2)  # whoever scores asks, too
        with ThreadPoolExecutor() as clients, engine.begin() as holder:
            # whoever has computed one waits here to store it
            holder.execute(select(table.c.id).where(table.c.id == asked).with_for_update())
            found = [clients.submit(assay.analysis, asked) for _ in range(3)]
            assert within(10, engine, text(TASKS), 3)
            assert not within(1.5, engine, TAKEN, 2)
            assert within(20, engine, COMPUTED, 1)
            holder.rollback()
            first, *others = [one.result() for one in found]
        assert first.slices
        assert others == [first, first]
    finally:
        engine.dispose()
        other.terminate()
        other.wait()


@pytest.mark.parametrize(
    ("query", "param", "said"),
    [
        ({"clusters": "embedding", "encoder": "tiny-langage"}, "encoder", "tiny-langage"),
        ({"encoder": "tiny-language"}, "encoder", "clusters=embedding"),
        ({"clusters": "neighbours"}, "clusters", "words"),
    ],
)
def test_what_clusters_nothing_is_told(
    assay: Client, evaluation: str, query: dict[str, Any], param: str, said: str
) -> None:
    with pytest.raises(AssayError, match=said) as refused:
        assay.analysis(evaluation, **query)
    assert (refused.value.status, refused.value.param) == (422, param)


def by_sound(texts: Sequence[str]) -> Floats:
    """Vectors of texts by their first letter, above all."""
    return np.array(
        [[one[:1] == "а", one[:1] == "z", 0.01 * len(one)] for one in texts], np.float64
    )


def test_clusters_are_what_the_vectors_say() -> None:
    texts = [f"{'а' if at % 2 else 'z'} {at}{'x' * (at % 7)}" for at in range(40)]
    made = [Sample(str(at), (), prompt=text) for at, text in enumerate(texts)]
    found = clustered(made, by_sound)
    assert found is not None
    assert all(found.labels)
    for place in range(len(found.words)):
        assert len({texts[at][0] for at in np.flatnonzero(found.places == place)}) <= 1
    alike = [Sample(str(at), (), prompt=f"one of {at % 2}") for at in range(40)]
    assert clustered(alike, by_sound) is None
