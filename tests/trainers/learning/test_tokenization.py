from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.tiny_models import build_tokenizer
from tests.trainers.job.attempts import attempt, reports
from trainers.job.errors import TrainingError
from trainers.job.options import Options
from trainers.job.run import Run
from trainers.learning.tokenization import Row, add_tags, fitting, rows


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer()


def learned(row: Row, tokenizer: Any) -> list[str]:
    """The runs of tokens that are answers, as text."""
    found: list[list[int]] = []
    for at, (token, answer) in enumerate(zip(row.ids, row.answer, strict=True)):
        if answer:
            if at == 0 or not row.answer[at - 1]:
                found.append([])
            found[-1].append(token)
    return [tokenizer.decode(ids) for ids in found]


def test_every_turn_of_the_assistant_is_learned_with_its_end(tokenizer: Any) -> None:
    messages = [
        {"role": "system", "content": "Отвечай кратко."},
        {"role": "user", "content": "Столица России?"},
        {"role": "assistant", "content": "Москва 🏙️"},
        {"role": "user", "content": "And of France?"},
        {"role": "assistant", "content": "Paris\n"},
    ]
    (row,) = rows([{"messages": messages}], tokenizer, None)
    assert learned(row, tokenizer) == ["Москва 🏙️<|end|>\n", "Paris\n<|end|>\n"]
    assert tokenizer.decode(row.ids) == tokenizer.apply_chat_template(messages, tokenize=False)


def test_a_completion_follows_the_prompt_as_at_inference(tokenizer: Any) -> None:
    record = {"prompt": "Как дела?", "completion": "Хорошо. 好"}
    (turn,) = rows([record], tokenizer, None)
    assert learned(turn, tokenizer) == ["Хорошо. 好<|end|>\n"]
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Как дела?"}], tokenize=False, add_generation_prompt=True
    )
    prompt = tokenizer(asked, add_special_tokens=False)["input_ids"]
    assert turn.ids[: len(prompt)] == prompt
    assert turn.where == "records[0].completion"

    (plain,) = rows([{"prompt": "the capi", "completion": "tal of France"}], tokenizer, False)
    assert learned(plain, tokenizer) == ["tal of France<|end|>"]
    edge = tokenizer("the capi")["input_ids"]  # " capital" is one token in the whole text
    assert plain.ids[: len(edge)] == edge != tokenizer("the capital of")["input_ids"][: len(edge)]


def test_text_is_learned_whole_and_ends(tokenizer: Any) -> None:
    one, two = rows([{"text": "Съешь же ещё"}, {"text": "ende<|end|>"}], tokenizer, None)
    assert learned(one, tokenizer) == ["Съешь же ещё<|end|>"]
    assert learned(two, tokenizer) == ["ende<|end|>"]


def test_a_rationale_goes_before_the_answer_in_tokens_of_its_own(tokenizer: Any) -> None:
    tokenizer = build_tokenizer()
    added = add_tags(tokenizer, "why")
    assert [tokenizer.convert_ids_to_tokens(one) for one in added] == ["<why>", "</why>"]
    assert add_tags(tokenizer, "why") == []
    turns = [{"role": "user", "content": "7?"}, {"role": "assistant", "content": "Да"}]
    records: list[dict[str, Any]] = [
        {"prompt": "7?", "completion": "Да", "rationale": "делится на 1 и 7"},
        {"messages": turns, "rationale": "делится на 1 и 7"},
    ]
    for row in rows(records, tokenizer, None, tag="why"):
        text = "<why>\nделится на 1 и 7\n</why>\n\nДа<|end|>\n"
        assert learned(row, tokenizer) == [text]
        assert [row.ids.count(one) for one in added] == [1, 1]
        assert tokenizer.decode(row.ids, skip_special_tokens=True).count("<why>") == 1


def test_a_template_that_rewrites_what_was_said_is_refused(tokenizer: Any) -> None:
    tokenizer = build_tokenizer(
        "{% for m in messages %}<|start|>{{ m['role'] }} "
        "{{ m['content'] if loop.last else m['content'][:2] }}<|end|>{% endfor %}"
        "{% if add_generation_prompt %}<|start|>assistant {% endif %}"
    )
    talk = [{"role": role, "content": f"hello {role}"} for role in ("user", "assistant") * 2]
    with pytest.raises(TrainingError, match="rewrites earlier turns") as error:
        rows([{"messages": talk}], tokenizer, None)
    assert (error.value.code, error.value.field) == ("chat_template", "records[0].messages")


THOUGHTLESS = (  # as of DeepSeek-R1's distilled models
    "{% for m in messages %}<|start|>{{ m['role'] }} "
    "{{ m['content'].split('</think>')[-1] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant {% endif %}"
)
OPENED = (  # the generation prompt has begun the thought
    "{% for m in messages %}<|start|>{{ m['role'] }} {{ m['content'] | trim }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant <think>\n{% endif %}"
)


def test_what_a_template_drops_is_not_lost_without_a_word() -> None:
    dropping = build_tokenizer(THOUGHTLESS)
    asked = [{"role": "user", "content": "7?"}]
    yes = {"role": "assistant", "content": "Да"}
    thought = {"role": "assistant", "content": "<think>\nпростое\n</think>\n\nДа"}
    fine = {"prompt": "7?", "completion": "Да"}
    cases: list[tuple[dict[str, Any], str]] = [
        (fine | {"rationale": "простое"}, "records[1].rationale"),
        ({"messages": [*asked, yes], "rationale": "простое"}, "records[1].rationale"),
        ({"messages": [*asked, thought]}, "records[1].messages[1].content"),
        ({"messages": [*asked, yes, *asked, thought]}, "records[1].messages[3].content"),
    ]
    for record, place in cases:
        with pytest.raises(TrainingError, match="template leaves it out") as error:
            rows([fine, record], dropping, None)
        assert (error.value.code, error.value.field) == ("chat_template", place)
        assert place in error.value.message
    assert len(rows([fine, cases[1][0]], build_tokenizer(), None)) == 2


def test_a_thought_that_the_prompt_begins_is_learned() -> None:
    opening = build_tokenizer(OPENED)
    record = {"prompt": "7?", "completion": "Да ", "rationale": "простое"}
    said = {"role": "assistant", "content": "<think>\nпростое\n</think>\n\nДа"}
    talk = {"messages": [{"role": "user", "content": "7?"}, said]}
    for row in rows([record, talk], opening, None):
        assert learned(row, opening) == ["простое\n</think>\n\nДа<|end|>"]


def test_what_a_template_refuses_is_named() -> None:
    picky = build_tokenizer("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(TrainingError, match=r"records\[1\].*roles must alternate"):
        rows([{"text": "fine"}, {"prompt": "a", "completion": "b"}], picky, None)
    bare = build_tokenizer(None)
    with pytest.raises(TrainingError, match="no chat template"):
        rows([{"messages": [{"role": "assistant", "content": "x"}]}], bare, None)
    with pytest.raises(TrainingError) as error:
        rows([{"prompt": "a", "completion": "b"}], bare, True)
    assert error.value.field == "options.chat"


ROWS = [Row([1] * 10, [False] * 4 + [True] * 6, "records[0].completion")] * 8
LONG = Row([1] * 30, [False] * 12 + [True] * 18, "records[8].completion")
LATE = Row([1] * 30, [False] * 25 + [True] * 5, "records[9].completion")


def fit(folder: Path, found: list[Row], context: int = 256, **options: Any) -> list[Row]:
    folder.mkdir(exist_ok=True)
    run = Run(attempt(folder, "sft", "builtin/none", [], {}))
    try:
        return fitting(found, run, Options(**options), context)
    finally:
        (report,) = reports(run.spec)
        assert report.name == "lengths"
        folder.joinpath("lengths").write_text(json.dumps(report.data))


def test_lengths_are_told_before_training(tmp_path: Path) -> None:
    assert fit(tmp_path / "job", [*ROWS, LONG, LATE], max_length=64, context=40) != []
    told = json.loads((tmp_path / "job" / "lengths").read_text())
    assert told == {
        **{"of": "records", "rows": 10, "min": 10, "median": 10, "p95": 30, "max": 30},
        **{"limit": 40, "max_length": 64, "context": 40, "over": 0, "truncated": 0},
    }


def test_a_longer_row_is_an_error_naming_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"30 tokens, and 20 fit.*2 of 10") as error:
        fit(tmp_path / "option", [*ROWS, LONG, LATE], max_length=20)
    assert (error.value.code, error.value.field) == ("too_long", "records[8].completion")
    with pytest.raises(TrainingError, match="context 20"):
        fit(tmp_path / "context", [*ROWS, LONG], context=20)


def test_rows_are_cut_only_when_asked_and_never_to_nothing(tmp_path: Path) -> None:
    cut = fit(tmp_path / "cut", [*ROWS, LONG], max_length=20, truncate=True)
    assert [len(row.ids) for row in cut] == [10] * 8 + [20]
    assert '"truncated": 1' in (tmp_path / "cut" / "lengths").read_text()
    with pytest.raises(TrainingError, match="wholly beyond 20 tokens") as error:
        fit(tmp_path / "late", [*ROWS, LATE], max_length=20, truncate=True)
    assert (error.value.code, error.value.field) == ("too_long", "records[9].completion")
    with pytest.raises(TrainingError, match="no token to learn"):
        fit(tmp_path / "nothing", [Row([1], [True], "records[0].text")])


def test_no_records_are_told_as_such(tmp_path: Path) -> None:
    run = Run(attempt(tmp_path, "sft", "builtin/none", [], {}))
    with pytest.raises(TrainingError, match="no records"):
        fitting([], run, Options(), 256)
