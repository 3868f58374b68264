"""OpenAI's own client, synchronous and asynchronous, against our models."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from inference.pool import ModelPool
from inference.protocol import Generation
from tests.known import known
from tests.service.live import Live

MODEL = "tiny-language"
ASKED = "What is the capital of France?"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": ASKED}]


@pytest.fixture(scope="module")
def client(live: Live) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{live.base}/openai/v1", api_key="none", max_retries=0) as client:
        yield client


def test_models_are_listed_and_found(client: OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {MODEL, "builtin/smollm2-135m-instruct"} <= names
    found = client.models.retrieve("builtin/smollm2-135m-instruct")
    assert found.owned_by == "builtin"
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("nothing")
    assert missing.value.code == "model_not_found"


def test_greedy_answers_are_those_of_the_model(client: OpenAI, model_pool: ModelPool) -> None:
    language = model_pool.language(MODEL)
    prompts = ["The quick brown", "Съешь же ещё"]
    theirs = language.generate(prompts, Generation(max_new_tokens=12, chat=False))
    found = client.completions.create(model=MODEL, prompt=prompts, max_tokens=12, temperature=0)
    assert [choice.text for choice in found.choices] == [one[0] for one in theirs]
    assert found.usage is not None
    assert found.usage.completion_tokens == 24
    chat = client.chat.completions.create(
        model=MODEL, messages=HELLO, max_completion_tokens=12, temperature=0
    )
    (asked,) = language.generate([ASKED], Generation(max_new_tokens=12))
    assert chat.choices[0].message.content == asked[0]
    assert chat.choices[0].finish_reason == "length"


def test_streams_say_what_whole_answers_say(client: OpenAI) -> None:
    options: dict[str, Any] = {
        "model": MODEL,
        "messages": HELLO,
        "max_tokens": 16,
        "n": 2,
        "seed": 5,
    }
    more: dict[str, Any] = {"logprobs": True, "top_logprobs": 2}
    whole = client.chat.completions.create(**options, **more)
    texts, ends = {0: "", 1: ""}, {}
    tokens: dict[int, list[Any]] = {0: [], 1: []}
    usage = None
    for chunk in client.chat.completions.create(
        **options, **more, stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
            if choice.logprobs:
                tokens[choice.index] += choice.logprobs.content or []
            if choice.finish_reason:
                ends[choice.index] = choice.finish_reason
    assert usage == whole.usage
    for choice in whole.choices:
        assert texts[choice.index] == choice.message.content
        assert ends[choice.index] == choice.finish_reason
        assert [one.token for one in tokens[choice.index]] == [
            one.token for one in choice.logprobs.content
        ]
        assert all(len(one.top_logprobs) == 2 for one in choice.logprobs.content)
    assert texts[0] != texts[1]


def test_draws_depend_on_their_seed_alone(client: OpenAI) -> None:
    """Sixteen at once share batches, and each says what it says alone."""

    def ask(seed: int) -> str:
        found = client.completions.create(
            model=MODEL, prompt=f"Number {seed % 4}", seed=seed, max_tokens=6 + seed, top_p=0.9
        )
        return found.choices[0].text

    alone = [ask(seed) for seed in range(4)]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, [*range(4)] * 4))
    assert together == alone * 4
    assert len(set(alone)) == 4


def test_a_stop_string_ends_the_text_before_it(client: OpenAI) -> None:
    options: dict[str, Any] = {"model": MODEL, "prompt": "The", "max_tokens": 24, "temperature": 0}
    text = client.completions.create(**options).choices[0].text
    stop = text[6:9]
    expected = text[: text.index(stop)]
    cut = client.completions.create(**options, stop=stop).choices[0]
    assert (cut.text, cut.finish_reason) == (expected, "stop")
    stream = client.completions.create(**options, stop=[stop, "unseen"], stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == expected


def test_echo_says_how_likely_a_text_is(client: OpenAI, model_pool: ModelPool) -> None:
    language = model_pool.language(MODEL)
    (ids,) = language.encode(["Paris is the capital of France"])
    other = ids[:4]
    found = client.completions.create(
        model=MODEL, prompt=[ids, other], max_tokens=0, echo=True, logprobs=1, temperature=0
    )
    for choice, row in zip(found.choices, [ids, other], strict=True):
        own = language.logprobs([(row[:1], row[1:])])[0]
        told: Any = known(choice.logprobs)
        first, *rest = told.token_logprobs
        assert first is None
        assert rest == pytest.approx(own, abs=1e-5)
        assert "".join(told.tokens) == choice.text
        assert told.text_offset[-1] == len(choice.text) - len(told.tokens[-1])


def test_embeddings_are_unit_vectors(client: OpenAI) -> None:
    found = client.embeddings.create(model="builtin/minilm-l6", input=["a cat", "a kitten", "tax"])
    cat, kitten, tax = (one.embedding for one in found.data)
    assert math.hypot(*cat) == pytest.approx(1, abs=1e-5)
    near, far = (sum(a * b for a, b in zip(cat, one, strict=True)) for one in (kitten, tax))
    assert near > far + 0.2
    plain = client.embeddings.create(
        model="builtin/minilm-l6", input="a cat", encoding_format="float"
    )
    assert plain.data[0].embedding == pytest.approx(cat, abs=1e-5)


def test_the_asynchronous_client_streams(live: Live) -> None:
    async def ask() -> list[str]:
        async with AsyncOpenAI(base_url=f"{live.base}/openai/v1", api_key="none") as client:

            async def one() -> str:
                stream = await client.chat.completions.create(
                    model=MODEL, messages=HELLO, max_tokens=8, temperature=0, stream=True
                )
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

            return list(await asyncio.gather(*(one() for _ in range(4))))

    found = asyncio.run(ask())
    assert found[0]
    assert len(set(found)) == 1


@pytest.mark.parametrize(
    ("more", "status", "code", "param"),
    [
        ({"model": "nothing"}, 404, "model_not_found", "model"),
        ({"model": "tiny-reward"}, 400, "wrong_model_kind", "model"),
        ({"extra_body": {"tools": [{"type": "function"}]}}, 400, "unsupported_parameter", "tools"),
        ({"frequency_penalty": 0.5}, 400, "unsupported_parameter", "frequency_penalty"),
        ({"temperature": -1}, 400, "greater_than_equal", "temperature"),
        ({"max_tokens": 5000}, 400, "context_length_exceeded", "messages"),
        ({"max_tokens": 5000, "stream": True}, 400, "context_length_exceeded", "messages"),
        ({"top_logprobs": 2}, 400, "missing_logprobs", "top_logprobs"),
    ],
)
def test_errors_are_those_that_the_client_knows(
    client: OpenAI, more: dict[str, object], status: int, code: str, param: str
) -> None:
    options: dict[str, Any] = {"model": MODEL, "messages": HELLO, "max_tokens": 4}
    with pytest.raises(openai.APIStatusError) as refused:
        client.chat.completions.create(**(options | more))
    error = refused.value
    assert (error.status_code, error.code, error.param) == (status, code, param)
    assert error.type == "invalid_request_error"


def test_fields_that_nobody_knows_are_let_through(client: OpenAI) -> None:
    found = client.chat.completions.create(
        model=MODEL,
        messages=HELLO,
        max_tokens=2,
        user="somebody",
        extra_body={"an_invention": {"of": 2027}, "tool_choice": "none"},
    )
    assert found.choices
