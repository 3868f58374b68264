"""A registered model whose URL is this very service: the same numbers as of the model itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from assay import AssayError, Client
from assay.models import Evaluation
from tests.service.live import Live

SENTENCE = "Paris is the capital of France and a better model needs fewer bits than others do"
WORDS = SENTENCE.split()


@pytest.fixture(scope="module")
def urls(live: Live) -> Iterator[dict[str, str]]:
    """Names of a language model and an encoder, by their names behind the URL."""
    names = {"tiny-language": "own-language", "builtin/minilm-l6": "own-encoder"}
    with live.client() as assay:
        for model, name in names.items():
            assay.create_model(name, f"{live.base}/openai/v1", model)
        yield names
        for name in names.values():
            assay.delete_model(name)


def scored(assay: Client, samples: list[dict[str, Any]], *metrics: dict[str, Any]) -> Evaluation:
    made = assay.evaluate(system="own", samples=samples, metrics=list(metrics))
    return assay.wait(made.id, timeout=120)


def test_likelihoods_are_those_of_the_model_itself(assay: Client, urls: dict[str, str]) -> None:
    samples = [
        {
            "prompt": f"{WORDS[at]} {WORDS[at + 1]}",
            "output": " " + " ".join(WORDS[at + 2 :]),
            "metadata": {"choices": [" bits", " the capital", WORDS[at + 2]], "answer": at % 3},
        }
        for at in range(8)
    ]
    (model, url), *_ = urls.items()
    given = {"add_bos": False, "text": "output_given_prompt"}
    done = scored(
        assay,
        samples,
        *({"name": "perplexity", "params": {"model": one, **given}} for one in (model, url)),
        *({"name": "choice_accuracy", "params": {"model": one}} for one in (model, url)),
    )
    assert done.status == "succeeded", done.error
    values = [(one.name, one.value, one.n) for one in done.scores]
    for here, there in zip(values[:4] + values[8:10], values[4:8] + values[10:], strict=True):
        assert here[0] == there[0]
        assert here[2] == there[2] == 8
        assert here[1] == pytest.approx(there[1], rel=1e-4)  # batches differ: float32 rounding


def test_embeddings_are_those_of_the_model_itself(assay: Client, urls: dict[str, str]) -> None:
    samples = [
        {"output": " ".join(WORDS[at % 9 : at % 9 + 3]), "references": [" ".join(WORDS[at % 7 :])]}
        for at in range(24)
    ]
    samples[3]["output"] = ""
    model, url = "builtin/minilm-l6", urls["builtin/minilm-l6"]
    cut = {"num_clusters": 3, "num_seeds": 2}
    done = scored(
        assay,
        samples,
        *({"name": "mauve", "params": {"model": one, **cut}} for one in (model, url)),
        {"name": "mauve", "params": {"model": url, **cut, "pooling": "last"}},
    )
    here, there, refused = done.scores
    assert here.value is not None, here.error
    assert there.value == pytest.approx(here.value, abs=0.05)  # one text of 48 may move
    assert "pooling" in str(refused.error)


def test_what_reads_states_says_what_it_needs(assay: Client, urls: dict[str, str]) -> None:
    url = urls["builtin/minilm-l6"]
    with pytest.raises(AssayError, match="state of every token") as raised:
        scored(
            assay,
            [{"output": "a", "references": ["a"]}],
            {"name": "bertscore", "params": {"model": url}},
        )
    assert (raised.value.code, raised.value.param) == (
        "wrong_model_kind",
        "metrics[0].params.model",
    )
