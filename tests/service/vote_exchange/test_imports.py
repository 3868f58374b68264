"""Projects of votes from elsewhere: logs of LMArena, tables, Label Studio."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from assay import Client
from service.vote_exchange.battles import Battle, fields
from tests.service.live import Live

FILE = {"content-type": "application/octet-stream"}


def turns(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]


ARENA: list[dict[str, Any]] = [  # as lmsys/chatbot_arena_conversations has them
    {
        "question_id": f"q{at}",
        "model_a": a,
        "model_b": b,
        "winner": winner,
        "judge": f"arena_user_{at % 3}",
        "conversation_a": turns(f"Question {at}?", f"{a} answers {at}"),
        "conversation_b": turns(f"Question {at}?", f"{b} answers {at}"),
        "turn": 1,
        "language": "English",
        "tstamp": 1682351591.1 + at,
    }
    for at, (a, b, winner) in enumerate(
        [
            ("koala", "alpaca", "model_a"),
            ("alpaca", "koala", "model_b"),
            ("koala", "dolly", "tie"),
            ("dolly", "alpaca", "tie (bothbad)"),
            ("koala", "koala", "model_a"),
            ("dolly", "koala", "model_b"),
        ]
    )
]


def sent(base: str, content: bytes, **query: str) -> httpx.Response:
    url = f"{base}/v1/annotation_projects/imports"
    return httpx.post(url, params={"name": "arena"} | query, content=content, headers=FILE)


def votes_of(base: str, project: str) -> list[dict[str, Any]]:
    url = f"{base}/v1/annotation_projects/{project}/votes"
    return list(httpx.get(url, params={"limit": 1000}).json()["data"])


def table(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0]])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def winner_of(vote: dict[str, Any]) -> str:
    choice = vote["answer"]["choice"]
    return "tie" if choice == "tie" else str(vote["systems"]["ab".index(choice)])


def test_a_log_of_lmarena_is_a_project_to_learn_from(live: Live, tmp_path: Path) -> None:
    log = tmp_path / "arena.json"
    log.write_text(json.dumps(ARENA))
    with Client(live.base) as assay:
        made = assay.import_votes("arena", log)
        assert (made.form, made.status, made.left_out) == ("pairwise", "closed", {"same_system": 1})
        assert [one.system for one in made.systems] == ["alpaca", "dolly", "koala"]
        assert (made.progress.items, made.progress.votes, made.progress.annotators) == (5, 5, 3)
        assert made.definition["imported"]["columns"]["judge"] == "annotator"
        again = assay.import_votes("arena", log)
        assert again == made
        found = votes_of(live.base, made.id)
        by_question = {one["sample"]: one for one in found}
        assert Counter(map(winner_of, found)) == {"koala": 3, "tie": 2}
        assert by_question["q1"]["shown"] == [0, 1]
        assert by_question["q0"]["shown"] == [1, 0]  # koala stood first, alpaca is the first name
        assert by_question["q3"]["comment"] == "tie (bothbad)"
        told = assay.export_annotation_project(made.id, "preference", "of-arena", held_out=0)
        assert told.left_out == {"tie": 2}
        pairs = {one["prompt"]: one for one in assay.records(told.dataset.id)}
        assert pairs["Question 1?"]["chosen"] == "koala answers 1"
        assert pairs["Question 1?"]["rejected"] == "alpaca answers 1"


def test_votes_from_elsewhere_are_of_no_evaluation(live: Live) -> None:
    project = sent(live.base, json.dumps(ARENA).encode(), name="elsewhere").json()["id"]
    url = f"{live.base}/v1/annotation_projects/{project}"
    for answer in (httpx.post(f"{url}/publish"), httpx.get(f"{url}/judges")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_evaluations")
    assert httpx.post(f"{url}/close").status_code < 500
    person = httpx.get(f"{url}/annotators").json()["data"][0]["id"]
    assert httpx.delete(f"{url}/annotators/{person}", params={"data": True}).status_code == 200


def test_tables_say_the_same_as_logs(live: Live) -> None:
    """CSV, JSON Lines, columns of other names; several votes on one item; nobody named."""
    rows = [
        {
            "frage": one["conversation_a"][0]["content"],
            "model_a": one["model_a"],
            "model_b": one["model_b"],
            "left": one["conversation_a"][1]["content"],
            "right": one["conversation_b"][1]["content"],
            "winner": {"model_a": one["model_a"], "model_b": "right"}.get(one["winner"], "both"),
        }
        for one in ARENA[:3]
    ]
    mapping = "frage:prompt,left:output_a,right:output_b"
    as_csv = sent(live.base, table([*rows, rows[0]]), mapping=mapping)
    assert as_csv.status_code == 201, as_csv.text
    made = as_csv.json()
    progress = made["progress"]
    assert (progress["items"], progress["votes"], progress["annotators"]) == (3, 4, 4)
    lines = "\n".join(json.dumps(one | {"judge": 7}) for one in [*rows, rows[0]])
    as_lines = sent(live.base, lines.encode(), mapping=mapping).json()
    assert as_lines["left_out"] == {"voted_again": 1}  # one person, the same two texts

    def said(project: str) -> Counter[tuple[str, str]]:
        return Counter(
            ("/".join(one["systems"]), winner_of(one)) for one in votes_of(live.base, project)
        )

    assert said(made["id"]) == said(as_lines["id"]) + Counter({("alpaca/koala", "koala"): 1})
    without = [{name: one[name] for name in ("model_a", "model_b", "winner")} for one in ARENA]
    plain = sent(live.base, table(without)).json()  # no texts: each row is an item
    assert plain["progress"]["items"] == 5
    url = f"{live.base}/v1/annotation_projects/{plain['id']}/export"
    refused = httpx.post(url, json={"kind": "preference", "name": "nothing"}).json()["error"]
    assert "5 without_prompt" in refused["message"]


def test_label_studio_has_a_vote_for_each_annotation(live: Live) -> None:
    def annotation(by: int, **value: Any) -> dict[str, Any]:
        result = [{"type": "pairwise", "from_name": "pw", "to_name": "x,y", "value": value}]
        return {"id": by, "completed_by": by, "was_cancelled": False, "result": result}

    data = {
        **{"prompt": "Capital of France?", "answer1": "Paris", "answer2": "Rome"},
        **{"model_a": "good", "model_b": "bad"},
    }
    tasks = [
        {
            "id": 1,
            "data": data,
            "annotations": [
                annotation(1, selected="left"),
                annotation(2, selected="right"),
                {"completed_by": {"id": 3}, "was_cancelled": True, "result": []},
                {
                    "completed_by": {"id": 4},
                    "result": [{"type": "choices", "value": {"choices": ["Tie"]}}],
                },
            ],
        }
    ]
    made = sent(live.base, json.dumps(tasks).encode()).json()
    assert (made["progress"]["items"], made["progress"]["votes"]) == (1, 3)
    assert sorted(map(winner_of, votes_of(live.base, made["id"]))) == ["bad", "good", "tie"]
    nobody = tasks[0] | {"annotations": [annotation(1, rating=3)]}
    error = sent(live.base, json.dumps([nobody]).encode()).json()["error"]
    assert (error["code"], error["param"]) == ("invalid_rows", "rows[0].winner")


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"winner": "neither"}, "invalid_rows", "rows[1].winner"),
        ({"model_b": ""}, "invalid_rows", "rows[1].model_b"),
        ({"judge": "x" * 201}, "invalid_rows", "rows[1].judge"),
        ({"conversation_a": [{"role": "user"}]}, "invalid_rows", "rows[1].conversation_a"),
        ({"model_a": ["x"]}, "invalid_rows", "rows[1].model_a"),
        ({"comment": "nul \x00"}, "invalid_rows", "rows[1].comment"),
    ],
)
def test_what_is_wrong_in_a_log_is_told_by_row_and_column(
    live: Live, change: dict[str, Any], code: str, param: str
) -> None:
    error = sent(live.base, json.dumps([ARENA[0], ARENA[1] | change]).encode()).json()["error"]
    assert (error["code"], error["param"]) == (code, param)
    assert "nothing was stored" in error["message"]


@pytest.mark.parametrize(
    ("content", "query", "code"),
    [
        (b"", {}, "empty_file"),
        (b"a,b\n1,2\n", {}, "unknown_columns"),
        (b"model_a,model_b,winner\n", {}, "empty_file"),
        (b"model_a,model_b,winner\nx,x,tie\n", {}, "nothing_to_judge"),
        (b"[1]", {}, None),
        (b"model_a,model_b,winner\nx,y,tie\n", {"mapping": "x:y"}, "invalid_mapping"),
        (b"model_a,model_b,winner\nx,y,tie\n", {"mapping": "z:winner"}, "invalid_mapping"),
    ],
)
def test_what_is_no_log_is_told(
    live: Live, content: bytes, query: dict[str, str], code: str | None
) -> None:
    answer = sent(live.base, content, **query)
    assert answer.status_code == 422, answer.text
    assert code in {None, answer.json()["error"]["code"]}


def battle(**row: Any) -> Battle:
    named = {"model_a": "x", "model_b": "y", "winner": "a"} | row
    return Battle.model_validate(fields(named))


def test_what_conversations_share_is_the_prompt() -> None:
    single = battle(output_a=turns("Hi?", "A"), output_b=turns("Hi?", "B"))
    assert (single.prompt, single.output_a, single.output_b) == ("Hi?", "A", "B")
    longer = battle(
        output_a=turns("Hi?", "A", "More?", "A2"), output_b=turns("Hi?", "B", "More?", "B2")
    )
    assert longer.prompt == "Hi?"
    assert longer.output_a == "assistant: A\n\nuser: More?\n\nassistant: A2"
    history = battle(
        output_a=turns("Hi?", "Hello", "More?", "A"), output_b=turns("Hi?", "Hello", "More?", "B")
    )
    assert history.prompt == "user: Hi?\n\nassistant: Hello\n\nuser: More?"
    assert (history.output_a, history.output_b) == ("A", "B")
    same = battle(output_a=turns("Hi?", "A"), output_b=turns("Hi?", "A"))
    assert (same.prompt, same.output_a, same.output_b) == ("Hi?", "A", "A")
    parts = [{"role": "user", "content": [{"type": "text", "text": "Hi?"}]}, *turns("", "A")[1:]]
    assert battle(output_a=parts, output_b=turns("Hi?", "B")).prompt == "Hi?"
    listed = battle(prompt='["Hi?"]', output_a='["A"]', output_b='["B"]')
    assert (listed.prompt, listed.output_a, listed.output_b) == ("Hi?", "A", "B")
    text = battle(prompt="[1] what?", output_a="[sic]", output_b='["x", "y"]')
    assert (text.prompt, text.output_a, text.output_b) == ("[1] what?", "[sic]", '["x", "y"]')


def test_winners_have_many_names() -> None:
    for said in ("model_a", "A", "left", "x", "Assistant A"):
        assert battle(winner=said).winner == "a"
    assert battle(winner="Model B").winner == "b"
    hot = {"winner_a": "0", "winner_b": "1", "winner_tie": "0", "winner": None}
    assert battle(**hot).winner == "b"
    assert battle(winner="tie (bothbad)").comment == "tie (bothbad)"
