"""Conversations through the templates of well-known models, as TRL keeps them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trl
from trl.chat_template_utils import get_training_chat_template

from tests.tiny_models import build_tokenizer
from tests.trainers.learning.test_tokenization import learned
from trainers.job.errors import TrainingError
from trainers.learning.conversations import with_defaults
from trainers.learning.tokenization import Row, rows

TEMPLATES = Path(trl.__file__).parent / "chat_templates"


def of(name: str) -> Any:
    tokenizer = build_tokenizer((TEMPLATES / f"{name}.jinja").read_text())
    marks = ["<|im_start|>", "<|im_end|>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"]
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    return tokenizer


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


TALK = [
    turn("user", "7?"),
    turn("assistant", "<think>\nпростое\n</think>\n\nДа"),
    turn("user", "And 8?"),
    turn("assistant", "<think>\n2 · 4\n</think>\n\nNo"),
]


def asked(tokenizer: Any, upto: int) -> list[int]:
    """The prompt for the turn at `upto`, as an evaluation asks."""
    text = tokenizer.apply_chat_template(TALK[:upto], tokenize=False, add_generation_prompt=True)
    return [int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"]]


def prompt(row: Row) -> list[int]:
    return row.ids[: row.answer.index(True)]


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        # writes the thought's mark itself; leaves out what was thought earlier
        (
            "qwen3",
            "<think>\nпростое\n</think>\n\nДа<|im_end|>\n",
            "<think>\n2 · 4\n</think>\n\nNo<|im_end|>\n",
        ),
        # is given the mark
        (
            "qwen3_5_think",
            "простое\n</think>\n\nДа<|im_end|>\n",
            "2 · 4\n</think>\n\nNo<|im_end|>\n",
        ),
        # is given the mark, and the template drops every thought
        (
            "deepseek_r1_distill",
            "простое\n</think>\n\nДа<｜end▁of▁sentence｜>",
            "2 · 4\n</think>\n\nNo<｜end▁of▁sentence｜>",
        ),
    ],
)
def test_a_template_that_rewrites_turns_gives_a_row_an_answer(
    name: str, first: str, second: str
) -> None:
    """Each behind the prompt that it answers at inference: what is learned is what is asked for."""
    tokenizer = of(name)
    found = rows([{"messages": TALK}], tokenizer, None)
    assert [learned(row, tokenizer) for row in found] == [[first], [second]]
    assert [prompt(row) for row in found] == [asked(tokenizer, 1), asked(tokenizer, 3)]
    assert {row.where for row in found} == {"records[0].messages"}
    (given,) = rows([{"prompt": "7?", "completion": "Да", "rationale": "простое"}], tokenizer, None)
    assert (given.ids, given.answer) == (found[0].ids, found[0].answer)


@pytest.mark.parametrize("name", ["qwen3_5_think", "deepseek_r1_distill"])
def test_an_answer_without_a_thought_closes_the_one_that_is_open(name: str) -> None:
    tokenizer = of(name)
    (row,) = rows([{"prompt": "7?", "completion": "Да"}], tokenizer, None)
    assert prompt(row) == asked(tokenizer, 1)
    assert learned(row, tokenizer)[0].startswith("\n</think>\n\nДа<")


def test_what_is_learned_is_what_trl_marks() -> None:
    """Where the template keeps to what it has rendered, TRL's version of it is the same text."""
    tokenizer = of("qwen2_5")
    talk = [turn("system", "Кратко."), *(turn(one["role"], one["content"][-2:]) for one in TALK)]
    (row,) = rows([{"messages": talk}], tokenizer, None)
    theirs = tokenizer.apply_chat_template(
        talk,
        chat_template=get_training_chat_template(tokenizer),
        return_dict=True,
        return_assistant_tokens_mask=True,
    )
    assert row.ids == theirs["input_ids"]
    marked = [bool(one) for one in theirs["assistant_masks"]]
    said = learned(row, tokenizer)  # TRL learns the line's end, which the prompt has at inference
    assert [f"\n{one}" for one in said] == learned(Row(row.ids, marked, ""), tokenizer)


def counted(tokenizer: Any, monkeypatch: pytest.MonkeyPatch, turns: int) -> tuple[int, int]:
    """Renderings of a conversation, and characters that the tokenizer reads of it."""
    kind = type(tokenizer)
    calls, read = [], []
    render, encode = kind.apply_chat_template, kind.__call__

    def rendered(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return render(*args, **kwargs)

    def encoded(self: Any, text: str, **kwargs: Any) -> Any:
        read.append(len(text))
        return encode(self, text, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "apply_chat_template", rendered)
        patch.setattr(kind, "__call__", encoded)
        talk = [turn(TALK[at % 2]["role"], f"turn {at:02}") for at in range(turns)]
        rows([{"messages": talk}], tokenizer, None)
    return len(calls), sum(read)


def test_work_grows_with_the_turns_and_not_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = build_tokenizer()
    ten, forty = (counted(tokenizer, monkeypatch, turns) for turns in (10, 40))
    assert forty[0] <= 4 * ten[0]
    assert forty[1] <= 4 * ten[1]
    assert ten[0] <= 2 * 5 + 1
    thinking = of("qwen3")
    assert counted(thinking, monkeypatch, 40)[0] <= 3 * 20 + 1


def test_rows_are_rendered_by_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = build_tokenizer()
    records = [{"prompt": f"{at}?", "completion": "Да"} for at in range(11)]
    alone = rows(records, tokenizer, None)
    monkeypatch.setattr("trainers.learning.parallel.CHUNK", 2)
    monkeypatch.setattr("trainers.learning.parallel.cores", lambda: 2)
    assert rows(records, tokenizer, None) == alone
    picky = build_tokenizer(
        "{% for m in messages %}{% if m['content'] in ['7?', '9?'] %}{{ raise_exception('odd') }}"
        "{% endif %}{{ m['content'] }}{% endfor %}"
    )
    with pytest.raises(TrainingError, match=r"records\[7\].*odd") as error:
        rows(records, picky, None)
    assert error.value.code == "chat_template"


def test_variables_of_a_template_have_other_values_and_a_checkpoint_keeps_them(
    tmp_path: Path,
) -> None:
    from transformers import AutoTokenizer

    tokenizer = of("qwen3")
    with_defaults(tokenizer, {"enable_thinking": False})
    tokenizer.save_pretrained(tmp_path)
    kept = AutoTokenizer.from_pretrained(tmp_path)
    for each in (tokenizer, kept):
        (row,) = rows([{"prompt": "7?", "completion": "Да"}], each, None)
        assert learned(row, each) == ["Да<|im_end|>\n"]
        assert str(each.decode(prompt(row))).endswith("<think>\n\n</think>\n\n")
    thinking = kept.apply_chat_template(
        TALK[:1], tokenize=False, add_generation_prompt=True, enable_thinking=True
    )
    assert str(thinking).endswith("assistant\n")
    with pytest.raises(TrainingError, match="reads no 'enable_thinkin_'") as error:
        with_defaults(tokenizer, {"enable_thinkin_": False})
    assert error.value.field == "options.chat_template_kwargs.enable_thinkin_"
    with pytest.raises(TrainingError, match="no chat template"):
        with_defaults(build_tokenizer(None), {"enable_thinking": False})
