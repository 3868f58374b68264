"""Records become conversations: templates, examples, styles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from inference.chat import Reply, Request
from inference.errors import InputError
from inference.protocol import Generation
from inference.protocols.asking import asked
from inference.protocols.conversation import as_completion, prompt_of
from inference.protocols.declaration import Protocol, digest
from inference.protocols.react import calculator
from inference.protocols.styles import Outcome, converse

POOL = [
    {"id": str(n), "prompt": f"What is {n} + {n}?", "references": [str(2 * n)]}
    | {"metadata": {"why": f"{n} and {n} make {2 * n}."}}
    for n in range(5)
]
RECORDS = [
    {"id": "a", "prompt": "what is  3 + 3?", "metadata": {"unit": "km"}},
    {"id": "b", "prompt": "What is 9 + 9?", "metadata": {"unit": "m"}},
]


def resolved(**parts: Any) -> Protocol:
    return Protocol.model_validate(parts).resolved({})


def contents(protocol: Protocol, records: Sequence[Any] = RECORDS) -> list[list[str]]:
    found = asked(protocol, records, POOL)
    return [[f"{turn.role}: {turn.content}" for turn in turns] for turns in found]


def run(protocol: Protocol, *replies: list[str], **tools: Any) -> tuple[list[Request], Outcome]:
    """The requests and the outcome of a conversation that is answered so."""
    turns = asked(protocol, RECORDS[:1], POOL)[0]
    talk = converse(protocol, turns, Generation(temperature=0.5), tools)
    requests = [next(talk)]
    waiting: Iterator[list[str]] = iter(replies)
    while True:
        try:
            requests.append(talk.send([Reply(text) for text in next(waiting)]))
        except StopIteration as end:
            return requests, end.value[0]


def test_a_template_is_rendered_over_the_record_and_its_examples() -> None:
    few = {"dataset": "sums", "k": 2}
    template = (
        "Question: {{ prompt }}{% if metadata.unit is defined %} ({{ metadata.unit }}){% endif %}"
    )
    first, second = contents(resolved(template=template, few_shot=few))
    assert first == [
        "user: Question: What is 0 + 0?",
        "assistant: 0",
        "user: Question: What is 1 + 1?",
        "assistant: 2",
        "user: Question: what is  3 + 3? (km)",
    ]
    assert second[-1] == "user: Question: What is 9 + 9? (m)"


@pytest.mark.parametrize("draw", ["fixed", "random"])
def test_a_record_is_never_its_own_example(draw: str) -> None:
    few = {"dataset": "sums", "k": 4, "draw": draw}
    first, second = contents(resolved(few_shot=few))
    assert not any("3 + 3" in turn for turn in first[:-1])
    assert len(first) == len(second) == 9
    with pytest.raises(InputError, match=r"4 of 5 records are not the record 'a'"):
        contents(resolved(few_shot=few | {"k": 5}))


def test_draws_depend_on_the_seed_and_the_record_alone() -> None:
    few = {"dataset": "sums", "k": 2, "draw": "random"}
    drawn = {seed: contents(resolved(few_shot=few | {"seed": seed})) for seed in range(6)}
    assert len({str(one) for one in drawn.values()}) > 1
    alone = contents(resolved(few_shot=few | {"seed": 3}), RECORDS[1:])
    assert alone[0] == drawn[3][1]


@pytest.mark.parametrize(
    ("template", "part"),
    [
        ("{{ prompt", "wrong"),
        ("{{ promt }}", "'promt' is undefined"),
        ("{{ metadata.km }}", "record 'a'"),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "long"),
        ("{{ 'x' * 10**10 }}", "memory"),
        ("{{ 'x' * 10**7 }}", "more than 1000000 characters"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "unsafe"),
        ("{% include '/etc/passwd' %}", "wrong"),
        ("{{ metadata.update({'a': 1}) }}", "unsafe|not safely callable"),
    ],
)
def test_a_template_that_fails_says_where(template: str, part: str) -> None:
    with pytest.raises(InputError, match=part) as caught:
        asked(resolved(template=template), RECORDS)
    assert caught.value.field == "template"


def test_conversations_keep_their_turns_and_their_system() -> None:
    talk = {
        "id": "c",
        "messages": [
            {"role": "system", "content": "Be short."},
            {"role": "user", "content": "2 + 2?"},
            {"role": "assistant", "content": "4"},
            {"role": "user", "content": "And 3 + 3?"},
        ],
    }
    protocol = resolved(template="<{{ prompt }}>", few_shot={"dataset": "sums", "k": 1})
    (turns,) = asked(protocol, [talk], POOL, system="In English.")
    assert [f"{turn.role}: {turn.content}" for turn in turns] == [
        "system: In English.\n\nBe short.",
        "user: <What is 0 + 0?>",
        "assistant: 0",
        "user: 2 + 2?",
        "assistant: 4",
        "user: <And 3 + 3?>",
    ]
    assert as_completion(turns[1:4]) == "<What is 0 + 0?> 0\n\n2 + 2?"
    assert prompt_of(talk) == (
        "system: Be short.\n\nuser: 2 + 2?\n\nassistant: 4\n\nuser: And 3 + 3?"
    )
    assert prompt_of({"messages": talk["messages"][1:2]}) == "2 + 2?"


def test_a_chain_of_thought_is_asked_for_or_shown() -> None:
    requests, outcome = run(resolved(style="chain_of_thought"), ["3 and 3.\nAnswer: 6"])
    assert "Let's think step by step" in requests[0].messages[-1].content
    assert (outcome.answer, outcome.raw) == ("6", "3 and 3.\nAnswer: 6")
    worked = resolved(
        style={"name": "chain_of_thought", "worked": "why"}, few_shot={"dataset": "sums", "k": 1}
    )
    assert contents(worked)[0][1] == "assistant: 0 and 0 make 0.\nAnswer: 0"
    assert contents(worked)[0][-1] == "user: what is  3 + 3?"


def test_self_consistency_takes_the_commonest_answer() -> None:
    protocol = resolved(style={"name": "self_consistency", "draws": 4})
    replies = ["Answer: 5", "I think Answer: 6", "none", "Answer:  6"]
    requests, outcome = run(protocol, replies)
    assert requests[0].options.num_outputs == 4
    assert (outcome.answer, outcome.raw, outcome.failed) == ("6", "I think Answer: 6", None)
    assert [draw["answer"] for draw in outcome.draws] == ["5", "6", None, "6"]
    assert run(protocol, ["?"] * 4)[1].failed is not None


def test_react_acts_observes_and_stops() -> None:
    protocol = resolved(style={"name": "react", "tools": ["calculator"], "max_steps": 3})
    requests, outcome = run(
        protocol,
        ["Thought: add\nAction: calculator[3 + 3]"],
        ["Thought: good\nFinal Answer: 6"],
        calculator=calculator,
    )
    assert requests[0].messages[0].role == "system"
    assert "calculator[expression]" in requests[0].messages[0].content
    assert [turn.content for turn in requests[1].messages[-2:]] == [
        "Thought: add\nAction: calculator[3 + 3]",
        "Observation: 6",
    ]
    assert outcome.answer == "6"
    assert outcome.trace()["steps"] == [
        {"thought": "add", "action": "calculator", "input": "3 + 3", "observation": "6"},
        {"thought": "good"},
    ]
    lost = run(protocol, *[["Hm."]] * 3, calculator=calculator)[1]
    assert (lost.answer, lost.failed) == ("", "no final answer after 3 steps")


def test_a_digest_is_of_what_a_protocol_says_not_of_how() -> None:
    short = Protocol.model_validate({"style": "direct"}).resolved({})
    assert digest(short) == digest(Protocol.model_validate({"answer": "whole"}).resolved({}))
    assert digest(short) == digest(short.resolved({}))
    assert digest(short) != digest(resolved(style="chain_of_thought"))
    named = {"few_shot": {"dataset": "sums", "k": 1}}
    by_name = Protocol.model_validate(named).resolved({"sums": "ds_1"})
    assert by_name.few_shot is not None
    assert by_name.few_shot.dataset == "ds_1"
    assert digest(by_name) != digest(Protocol.model_validate(named).resolved({"sums": "ds_2"}))
    assert len(digest(short)) == 12
