"""Clusters of a dataset's records: named alike with a database and without one."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from inference.errors import InputError
from metrics.core.clustered import Cluster
from metrics.core.metric import Sample
from service.datasets import store as datasets
from service.datasets.repeated import read_repeated
from service.errors import ApiError
from service.leaderboards import scopes

RECORDS: list[dict[str, Any]] = [
    {
        "id": f"r{at}",
        "prompt": f"Вопрос {at % 3} " + "длинный " * 40 * (at % 2),
        "references": ["a"],
        "metadata": {
            "passage": "длинный текст " * 30 + str(at // 2),
            "page": [1, 2.5, True, None, "1"][at % 5],
            "own": at,
            "all": "same",
            "tags": ["x", "é"] if at % 2 else [],
        },
    }
    for at in range(11)
]


@pytest.mark.parametrize("field", ["passage", "page", "own", "all", "tags", "prompt"])
def test_names_are_the_same_with_a_database_and_without(engine: Engine, field: str) -> None:
    with engine.begin() as db:
        dataset, _ = datasets.put(db, "clustered", "eval", RECORDS)
        stored = datasets.read_clusters(db, dataset.id, field)
    assert stored == Cluster.of([Sample.of(one, ["x"]) for one in RECORDS], field).names


def test_a_field_that_is_null_everywhere_is_no_misspelling(engine: Engine) -> None:
    records = [{"id": "1", "references": ["a"], "metadata": {"none": None, "page": 1}}]
    said = "no sample has a value in the metadata field 'none'"
    with engine.begin() as db:
        dataset, _ = datasets.put(db, "null", "eval", records)
        with pytest.raises(ApiError, match=said):
            datasets.read_clusters(db, dataset.id, "none")
        with pytest.raises(ApiError, match=said):
            scopes.sliced(db, [dataset.id], "none=1")
        with pytest.raises(ApiError, match="did you mean 'page'"):
            datasets.read_clusters(db, dataset.id, "pages")
    with pytest.raises(InputError, match=said):
        Cluster.of([Sample.of(one, ["x"]) for one in records], "none")


def test_a_field_without_a_value_is_no_slice(engine: Engine) -> None:
    records = [
        {"id": "1", "references": ["a"], "metadata": {"lang": ""}},
        {"id": "2", "references": ["a"], "metadata": {"lang": "ru"}},
    ]
    with engine.begin() as db:
        dataset, _ = datasets.put(db, "blank", "eval", records)
        assert scopes.sliced(db, [dataset.id], "lang=") == {"1"}
        with pytest.raises(ApiError, match="did you mean 'lang=' or 'lang=ru'") as refused:
            scopes.sliced(db, [dataset.id], "lang", "rules[0].slice")
    assert refused.value.param == "rules[0].slice"


def test_fields_that_repeat_are_found(engine: Engine) -> None:
    with engine.begin() as db:
        dataset, _ = datasets.put(db, "clustered", "eval", RECORDS)
        found = read_repeated(db, dataset.id, without=["tags"])
        assert sorted(found) == ["page", "passage", "prompt"]
        assert len(set(found["passage"])) == 6
        plain, _ = datasets.put(db, "plain", "eval", [{"id": "1", "references": ["a"]}])
        assert read_repeated(db, plain.id) == {}


@pytest.mark.parametrize("called_prompt", [False, True])
def test_fields_that_repeat_are_read_as_each_alone(engine: Engine, called_prompt: bool) -> None:
    own = {"prompt": "of the metadata"} if called_prompt else {}
    several = [one | {"metadata": {**one["metadata"], **own}} for one in RECORDS]
    bare = [{"id": f"bare {at}", "prompt": "Вопрос", "references": ["a"]} for at in range(2)]
    with engine.begin() as db:
        dataset, _ = datasets.put(db, "clustered", "eval", [*several, *bare])
        found = read_repeated(db, dataset.id)
        alone = {field: datasets.read_clusters(db, dataset.id, field) for field in found}
    assert list(found) == ["page", "passage", "prompt", "tags"]
    assert found == alone
