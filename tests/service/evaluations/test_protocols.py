"""Evaluations whose records are asked by a protocol, on the running service with a tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from assay import AssayError, Client, Evaluation
from inference.chat import Message, Request
from inference.pool import ModelPool
from inference.protocol import Generation
from tests.service.archives.elsewhere import from_elsewhere

SUMS: list[dict[str, Any]] = [
    {"id": str(n), "prompt": f"{n} + {n}", "references": [str(2 * n)], "metadata": {"why": "x"}}
    for n in range(4)
]
SHORT = {"max_new_tokens": 6}
TALK = [
    {"role": "system", "content": "Short."},
    {"role": "user", "content": "1 + 1"},
    {"role": "assistant", "content": "2"},
    {"role": "user", "content": "2 + 2"},
]


@pytest.fixture(scope="module")
def sums(assay: Client) -> str:
    return assay.create_dataset("protocol-sums", SUMS, kind="eval").name


def done(assay: Client, evaluation: Evaluation) -> Evaluation:
    found = assay.wait(evaluation.id)
    assert found.status == "succeeded", found.error
    return found


def test_a_template_and_examples_are_what_the_model_is_asked(
    assay: Client, sums: str, model_pool: ModelPool, tiny_language_model: Path
) -> None:
    protocol = {
        "template": "Q: {{ prompt }}",
        "few_shot": {"dataset": sums, "k": 1},
        "answer": "last_number",
    }
    name = str(tiny_language_model)
    started = assay.evaluate(
        model=name, dataset=sums, generation=SHORT, protocol=protocol, metrics=["exact_match"]
    )
    found = done(assay, started)
    assert found.protocol is not None
    assert found.protocol["few_shot"]["dataset"].startswith("ds_")
    assert found.protocol["style"]["name"] == "direct"
    assert found.provenance["protocol"] == found.protocol_digest
    chat = model_pool.chat(name)
    listed = list(assay.samples(found.id))
    example = {"0": 1}
    turns = [
        (
            Message("user", f"Q: {(n := example.get(one.id, 0))} + {n}"),
            Message("assistant", str(2 * n)),
            Message("user", f"Q: {one.prompt}"),
        )
        for one in listed
    ]
    replies = chat.reply([Request(each, Generation(max_new_tokens=6)) for each in turns])
    failed = 0
    for one, (reply,) in zip(listed, replies, strict=True):
        assert one.traces is not None
        (trace,) = one.traces
        assert trace.raw == reply.text
        assert (one.outputs == [""]) == (trace.failed is not None)
        failed += trace.failed is not None
    assert bool(found.warnings) == bool(failed)
    assert all(f"{failed} of 4 outputs have no answer" in told for told in found.warnings)


def test_conversations_are_records(
    assay: Client, model_pool: ModelPool, tiny_language_model: Path
) -> None:
    name = str(tiny_language_model)
    sample = {"id": "a", "messages": TALK, "references": ["4"]}
    started = assay.evaluate(
        model=name,
        dataset="protocol-talks",
        samples=[sample, {"id": "b", "prompt": "2 + 2", "references": ["4"]}],
        generation=SHORT,
        metrics=["chrf"],
    )
    one, other = assay.samples(done(assay, started).id)
    assert one.messages == TALK
    assert one.traces is None
    assert one.prompt == "system: Short.\n\nuser: 1 + 1\n\nassistant: 2\n\nuser: 2 + 2"
    asked = tuple(Message(turn["role"], turn["content"]) for turn in TALK)  # type: ignore[arg-type]
    request = Request(asked, Generation(max_new_tokens=6))
    assert one.outputs == [model_pool.chat(name).reply([request])[0][0].text]
    assert other.messages is None


@pytest.mark.parametrize(
    ("protocol", "generation", "param"),
    [
        ({"template": "{{ prompt"}, {}, "protocol.template"),
        ({"template": "{{ promt }}"}, {}, "protocol.template"),
        ({"few_shot": {"dataset": "nowhere", "k": 1}}, {}, "protocol.few_shot.dataset"),
        ({"few_shot": {"dataset": "protocol-sums", "k": 4}}, {}, "protocol.few_shot.k"),
        (
            {
                "few_shot": {"dataset": "protocol-sums", "k": 1},
                "style": {"name": "chain_of_thought", "worked": "y"},
            },
            {},
            "protocol.style.worked",
        ),
        ({"style": "chain_of_thougt"}, {}, "protocol.style.name"),
        ({"style": {"name": "direct", "draws": 3}}, {}, "protocol.style"),
        ({"style": "react"}, {}, "protocol.style"),
        ({"style": "self_consistency"}, {}, "generation.temperature"),
        (
            {"style": {"name": "react", "tools": ["calculator"]}},
            {"num_outputs": 2, "temperature": 1},
            "generation.num_outputs",
        ),
        ({"answer": {"take": "regex", "pattern": "("}}, {}, "protocol.answer.pattern"),
        ({"answer": {"take": "json", "path": "a..b"}}, {}, "protocol.answer.path"),
        ({"template": "a\x00"}, {}, "protocol"),
        ({"templat": "a"}, {}, "protocol.templat"),
    ],
)
def test_what_is_wrong_is_named(
    assay: Client, sums: str, protocol: Any, generation: Any, param: str, tiny_language_model: Path
) -> None:
    with pytest.raises(AssayError) as caught:
        assay.evaluate(
            model=str(tiny_language_model),
            dataset=sums,
            generation=generation,
            protocol=protocol,
            metrics=["chrf"],
        )
    assert caught.value.status == 422
    assert caught.value.param == param


def test_outputs_that_are_given_have_no_protocol(assay: Client, sums: str) -> None:
    outputs = {record["id"]: "1" for record in SUMS}
    with pytest.raises(AssayError) as caught:
        assay.evaluate(
            system="s", dataset=sums, outputs=outputs, protocol={}, metrics=["exact_match"]
        )
    assert caught.value.param == "protocol"


def test_react_and_self_consistency_store_how_they_came_about(
    assay: Client, sums: str, tiny_language_model: Path
) -> None:
    corpus = assay.create_dataset("protocol-corpus", [{"prompt": "Sums"}], kind="eval").name
    react = {
        "name": "react",
        "tools": ["calculator", {"name": "search", "dataset": corpus}],
        "max_steps": 2,
    }
    acting = assay.evaluate(
        model=str(tiny_language_model),
        dataset=sums,
        generation=SHORT,
        protocol={"style": react},
        metrics=["exact_match"],
    )
    drawing = assay.evaluate(
        model=str(tiny_language_model),
        dataset=sums,
        generation=SHORT | {"temperature": 1.0},
        protocol={"style": {"name": "self_consistency", "draws": 3}, "answer": "whole"},
        metrics=["exact_match"],
    )
    acted = next(iter(assay.samples(done(assay, acting).id)))
    assert acted.traces is not None
    assert len(acted.traces[0].steps) == 2
    assert "no action was found" in acted.traces[0].steps[0]["observation"]
    assert acted.traces[0].failed == "no final answer after 2 steps"
    warned = done(assay, acting).warnings
    assert warned == [
        "4 of 4 outputs have no answer, and are scored as empty texts: "
        "no final answer after 2 steps (4)"
    ]
    drawn = next(iter(assay.samples(done(assay, drawing).id)))
    assert drawn.traces is not None
    answers = [draw["answer"] for draw in drawn.traces[0].draws]
    assert len(answers) == 3
    assert drawn.outputs[0] in answers


def test_boards_do_not_mix_protocols_unless_asked(
    assay: Client, sums: str, tiny_language_model: Path
) -> None:
    on = assay.create_dataset("protocol-board", SUMS, kind="eval").name
    given = assay.evaluate(
        system="given", dataset=on, outputs={one["id"]: "1" for one in SUMS}, metrics=["chrf"]
    )
    asked = assay.evaluate(
        system="asked",
        model=str(tiny_language_model),
        dataset=on,
        generation=SHORT,
        protocol={"template": "Q: {{ prompt }}"},
        metrics=["chrf"],
    )
    other = assay.evaluate(
        system="given too", dataset=on, outputs={one["id"]: "2" for one in SUMS}, metrics=["chrf"]
    )
    digest = done(assay, asked).protocol_digest
    assert digest is not None
    for one in (given, other):
        done(assay, one)
    board = assay.leaderboard(on, "chrf")
    assert (board.protocol, board.protocols) == ("none", sorted(["none", digest]))
    assert {row.system for row in board.rows} == {"given", "given too"}
    assert [(one.system, one.reason) for one in board.left_out] == [
        ("asked", f"another protocol: {digest}")
    ]
    own = assay.leaderboard(on, "chrf", protocol=digest)
    (row,) = own.rows
    assert (row.system, row.protocol_digest) == ("asked", digest)
    assert row.protocol is not None
    assert row.protocol.prompts is not None
    assert f"protocol {digest} (template, direct)" in row.protocol.text
    assert len(assay.leaderboard(on, "chrf", protocol="any").rows) == 3
    with pytest.raises(AssayError, match=digest):
        assay.leaderboard(on, "chrf", protocol="0123456789ab")
    compared = assay.request("POST", "/v1/comparisons", body={"evaluations": [given.id, asked.id]})
    assert any(f"different protocols (none / {digest})" in note for note in compared["notes"])


def test_a_model_that_knows_answers_by_letter(assay: Client) -> None:
    """The template wraps the question, and of what comes back the letter alone is scored."""
    question = {
        "id": "capital",
        "prompt": "What is the capital of France?",
        "references": ["B"],
        "metadata": {"choices": ["Rome", "Paris"]},
    }
    template = (
        "{{ prompt }}\n{% for one in metadata.choices %}{{ 'AB'[loop.index0] }}. {{ one }}\n"
        "{% endfor %}Answer with the letter of the right choice, as (A)."
    )
    started = assay.evaluate(
        model="builtin/smollm2-135m-instruct",
        samples=[question],
        dataset="protocol-letters",
        generation={"max_new_tokens": 24},
        protocol={"template": template, "answer": {"take": "choice", "choices": "AB"}},
        metrics=["exact_match"],
    )
    (sample,) = assay.samples(done(assay, started).id)
    assert sample.outputs == ["B"]
    assert sample.traces is not None
    assert "Paris" in sample.traces[0].raw
    assert sample.scores["exact_match"] == 1


def test_protocols_travel_and_gates_tell_of_them(
    assay: Client, tiny_language_model: Path, tmp_path: Path
) -> None:
    on = assay.create_dataset("protocol-gate", SUMS, kind="eval").name
    base = assay.evaluate(
        system="base", dataset=on, outputs={one["id"]: "1" for one in SUMS}, metrics=["chrf"]
    )
    asked = assay.evaluate(
        system="candidate",
        model=str(tiny_language_model),
        dataset=on,
        generation=SHORT,
        protocol={"template": "Q: {{ prompt }}"},
        metrics=["chrf"],
    )
    digest = done(assay, asked).protocol_digest
    done(assay, base)
    rules = [{"score": "chrf", "max_drop": 0.5}]
    assay.create_gate("protocols", baseline="base", dataset=on, rules=rules)
    checked = assay.check_gate("protocols", evaluation=asked.id)
    assert checked.verdict is not None
    assert any(f"different protocols (none / {digest})" in note for note in checked.notes)
    path = assay.archive(asked.id, tmp_path / "asked.zip")
    loaded = assay.import_archive(from_elsewhere(path, tmp_path), dataset="protocol-loaded")
    assert (loaded.protocol_digest, loaded.protocol) == (digest, done(assay, asked).protocol)
