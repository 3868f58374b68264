"""Rewards are metrics: the same numbers, the sample shown when there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr

from inference.errors import InputError
from inference.pool import ModelPool
from inference.protocol import NoModels
from inference.remote.registered import Registered
from metrics import find
from metrics.core.metric import Sample
from metrics.core.run import score
from tests.faulty_server import KEY, faulty_server
from tests.metrics.test_community import write
from tests.rounding import assert_same
from tests.trainers.job.attempts import attempt, finish
from tests.valuing_server import valuing
from trainers.job.errors import TrainingError
from trainers.job.ledger import Ledger
from trainers.job.options import Budget, Reward
from trainers.learning.rewards import CONSTANT, Rewards

RECORDS: list[dict[str, Any]] = [
    {"id": "1", "prompt": "Столица Франции?", "references": ["Париж — столица Франции."]},
    {"id": "2", "prompt": "Capital of Italy?", "references": ["Rome", "It is Rome."]},
    {"id": "3", "prompt": "首都は?", "references": ["東京です。"]},
]
COMPLETIONS = ["Столица Франции — Париж.", "Rome is it.", "京都です。"]
DOUBLE = {"id": "1", "prompt": "def double(x):\n", "tests": "assert double(4) == 8"}


def ready(
    *rewards: dict[str, Any], records: list[dict[str, Any]] = RECORDS, **more: Any
) -> Rewards:
    made = Rewards([Reward(**one) for one in rewards], more.pop("models", NoModels()), **more)
    made.prepare(records)
    return made


def alone(metric: str, params: dict[str, Any], name: str) -> list[float]:
    """The score of each sample in an evaluation of its own, parameters settled over all of them."""
    found = find(metric)
    samples = [
        Sample(str(index), (completion,), tuple(record["references"]), record["prompt"])
        for index, (record, completion) in enumerate(zip(RECORDS, COMPLETIONS, strict=True))
    ]
    (result,) = score(samples, [found.bind(params)], NoModels(), replicates=10)
    assert result.per_sample is not None
    column = [one.name for one in result.scores].index(name)
    return [float(value) for value in result.per_sample[:, column]]


@pytest.mark.parametrize(
    ("metric", "params", "name"),
    [
        ("rouge", {}, "rougeL"),
        ("bleu", {}, "bleu"),
        ("chrf", {}, "chrf"),
        ("token_f1", {}, "token_f1"),
        ("length", {"unit": "characters"}, "length"),
    ],
)
def test_equals_an_evaluations_own_per_sample(
    metric: str, params: dict[str, Any], name: str
) -> None:
    earned = ready({"metric": metric, "params": params, "name": name})(RECORDS, COMPLETIONS)
    assert earned.total.tolist() == alone(metric, params, name)
    assert earned.total.max() > 0


def test_does_not_depend_on_the_batch() -> None:
    """Rouge's tokenizer is chosen for the dataset, not for the batch that happens to be there."""
    reward = ready({"metric": "rouge", "name": "rougeL"})
    whole = reward(RECORDS, COMPLETIONS).total
    for index, record in enumerate(RECORDS):
        assert reward([record], [COMPLETIONS[index]]).total.tolist() == [whole[index]]


def test_weighted_sum_and_series() -> None:
    reward = ready(
        {"metric": "token_f1", "weight": 2.0},
        {"metric": "length", "weight": -0.1},
        {"metric": "length", "params": {"unit": "characters"}, "weight": 0.0},
    )
    assert reward.names == ("token_f1", "length", "length#2")
    earned = reward(RECORDS[1:2] * 2, ["Rome", "it is not rome"])
    # F1 with "It is Rome.": P = 3/4, R = 1
    np.testing.assert_allclose(earned.total, [2 - 0.1, 2 * 6 / 7 - 0.4], rtol=1e-12)
    assert earned.series == {
        "reward/token_f1": pytest.approx((1 + 6 / 7) / 2),
        "reward/length": 2.5,
        "reward/length#2": 9.0,
    }


def test_forged_passes_can_earn_nothing() -> None:
    forged = "class Any:\n    def __eq__(self, other): return True\ndef double(x): return Any()\n"
    honest = "def double(x): return 2 * x\n"
    for suspicious, earned in (("count", [1, 1]), ("fail", [0, 1])):
        params = {"program": "output", "suspicious": suspicious}
        reward = ready({"metric": "pass_at_k", "params": params}, records=[DOUBLE])
        assert reward([DOUBLE, DOUBLE], [forged, honest]).total.tolist() == earned


def test_code_runs_in_the_sandbox() -> None:
    reward = ready({"metric": "pass_at_k"}, records=[DOUBLE])
    earned = reward([DOUBLE] * 3, ["    return 2 * x", "    return x", "    oops("])
    assert earned.total.tolist() == [1.0, 0.0, 0.0]


def test_a_reward_model_by_name(model_pool: ModelPool, tiny_reward_model: Path) -> None:
    name = tiny_reward_model.name
    reward = ready({"metric": "reward", "params": {"model": name}}, models=model_pool)
    earned = reward(RECORDS, COMPLETIONS)
    model = model_pool.classifier(name)
    pairs = [(record["prompt"], text) for record, text in zip(RECORDS, COMPLETIONS, strict=True)]
    expected = [float(model.scores([ids])[0]) for ids in model.encode(pairs)]
    assert_same(earned.total, expected)


@pytest.mark.parametrize(
    ("reward", "field", "message"),
    [
        ({"metric": "mauve"}, "options.rewards[0].metric", "has no per-sample value"),
        ({"metric": "distinct_n"}, "options.rewards[0].metric", "has no per-sample value"),
        ({"metric": "rogue"}, "options.rewards[0].metric", "rouge"),
        ({"metric": "rouge", "name": "rougeX"}, "options.rewards[0].name", "rougeLsum"),
        ({"metric": "chrf", "params": {"betta": 1}}, "options.rewards[0].params.betta", "beta"),
        ({"metric": "chrf", "weight": float("nan")}, "options.rewards[0].weight", "finite"),
        ({"metric": "pass_at_k"}, "records[0].tests", "row 0"),
    ],
)
def test_what_cannot_be_a_reward(reward: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        ready(reward)
    assert error.value.field == field


def test_a_record_without_references_is_named() -> None:
    records = [*RECORDS, {"id": "4", "prompt": "?"}]
    with pytest.raises(InputError, match="row 3") as error:
        ready({"metric": "token_f1"}, records=records)
    assert error.value.field == "records[3].references"


def test_more_tries_than_completions() -> None:
    with pytest.raises(InputError) as error:
        ready({"metric": "pass_at_k", "params": {"k": [10]}}, records=[DOUBLE])
    assert error.value.field == "options.rewards[0].params.k"


def test_an_unknown_reward_model(model_pool: ModelPool) -> None:
    with pytest.raises(InputError) as error:
        ready({"metric": "reward", "params": {"model": "nowhere"}}, models=model_pool)
    assert error.value.field == "options.rewards[0].params.model"


def test_no_value_is_an_error_that_shows_the_sample(
    model_pool: ModelPool, tiny_language_model: Path
) -> None:
    """An empty completion has no perplexity: to abstain would move the others' baseline."""
    params = {"model": tiny_language_model.name}
    reward = ready({"metric": "perplexity", "params": params, "weight": -1}, models=model_pool)
    with pytest.raises(TrainingError, match="Столица Франции") as error:
        reward([RECORDS[1], RECORDS[0]], ["Rome", ""])
    assert error.value.code == "reward_failed"
    assert "Completion: ''" in error.value.message
    assert error.value.field == "options.rewards[0].metric"


def test_what_has_no_value_may_earn_a_number(
    model_pool: ModelPool, tiny_language_model: Path
) -> None:
    """An empty completion is as bad as a perplexity of 1000, says whoever asks for it."""
    params = {"model": tiny_language_model.name}
    asked = {"metric": "perplexity", "params": params, "weight": -0.5, "unmeasured": 1000.0}
    reward = ready(asked, {"metric": "length"}, models=model_pool)
    earned = reward(RECORDS[:2], ["", "Rome"])
    assert earned.components["perplexity"][0] == 1000.0
    assert earned.total[0] == -500.0
    assert np.isfinite(earned.total).all()
    assert earned.series["reward/perplexity/unmeasured"] == 0.5
    assert "reward/length/unmeasured" not in earned.series
    with pytest.raises(InputError) as error:
        ready({"metric": "length", "unmeasured": float("inf")})
    assert error.value.field == "options.rewards[0].unmeasured"


def test_a_metric_that_raises_shows_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    reward = ready({"metric": "exact_match"})

    def fail(text: str, how: str) -> str:
        if text == "boom":
            raise RuntimeError("no disk")
        return text

    monkeypatch.setattr("metrics.exact_match.normalize", fail)
    with pytest.raises(TrainingError, match=r"RuntimeError: no disk.*首都は.*'boom'"):
        reward(RECORDS, ["Rome", "Rome", "boom"])


def test_long_texts_are_cut_in_the_message(
    model_pool: ModelPool, tiny_language_model: Path
) -> None:
    params = {"model": tiny_language_model.name}
    reward = ready({"metric": "perplexity", "params": params}, models=model_pool)
    with pytest.raises(TrainingError) as error:
        reward([RECORDS[0] | {"prompt": "ы" * 10_000}], [""])
    assert len(error.value.message) < 1500


def test_what_depends_on_the_batch_is_refused(model_pool: ModelPool) -> None:
    """BERTScore's idf is counted over whatever stands in the batch: no reward for one sample."""
    params = {"model": "builtin/minilm-l6", "idf": True}
    reward = ready({"metric": "bertscore", "params": params}, models=model_pool)
    reward(RECORDS[:1], COMPLETIONS[:1])
    with pytest.raises(TrainingError, match="depends on the other samples"):
        reward(RECORDS[1:], COMPLETIONS[1:])


def test_constant_rewards_are_told_once() -> None:
    told: list[tuple[str, int]] = []
    reward = ready({"metric": "length"}, tell=lambda name, step, **data: told.append((name, step)))
    same, other = ["one two", "three four"], ["one", "one two"]
    group = [RECORDS[0], RECORDS[0]]
    for step in range(CONSTANT - 1):
        reward(group, same, step)
    reward(group, other, 20)  # a difference starts the count anew
    for step in range(30, 30 + 2 * CONSTANT):
        reward([*group, RECORDS[1], RECORDS[1]], [*same, "x", "y"], step)  # within each prompt
    assert told == [("constant_reward", 29 + CONSTANT)]


def test_a_group_each_of_one_is_a_batch() -> None:
    told: list[str] = []
    reward = ready({"metric": "length"}, tell=lambda name, step, **data: told.append(name))
    for step in range(CONSTANT):
        reward(RECORDS[:2], ["one", "one two"], step)
    assert told == []


def test_a_reward_of_the_wrong_sign_is_told(
    model_pool: ModelPool, tiny_language_model: Path
) -> None:
    told: list[str] = []
    for weight in (1.0, -1.0):
        ready(
            {"metric": "perplexity", "params": {"model": "tiny-language"}, "weight": weight},
            models=model_pool,
            tell=lambda name, **data: told.append(f"{name} {data['option']}"),
        )
    assert told == ["reward_direction options.rewards[0]"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("grpo", {"batch_size": 4, "num_generations": 2}),
        ("ppo", {"batch_size": 2, "num_minibatches": 1, "ppo_epochs": 1}),
    ],
)
def test_a_metric_of_a_folder_is_a_reward_in_a_job(
    tmp_path: Path, tiny_language_model: Path, method: str, options: dict[str, Any]
) -> None:
    """Code is looked up under the roots of metrics, not under those of models."""
    folder = write(tmp_path / "metrics")
    options |= {"max_steps": 2, "max_completion_length": 8}
    options |= {"rewards": [{"metric": f"evaluate/{folder.name}"}]}
    told = finish(
        attempt(
            tmp_path / "job",
            method,
            tiny_language_model,
            RECORDS,
            options,
            metric_roots=(folder.parent,),
        )
    )
    assert told[-1].type == "finished", told[-1]
    rewards = [report.data for report in told if report.type == "series"]
    assert len(rewards) == 2
    for data in rewards:
        assert data["reward"] == pytest.approx(data["reward/length_ratio"])
        assert data["reward"] > 0


def test_a_few_completions_are_told_with_their_rewards() -> None:
    told: list[tuple[str, int, Any]] = []

    def tell(name: str, step: int = 0, **data: Any) -> None:
        told.append((name, step, data["samples"]))

    short, long = {"metric": "length"}, {"metric": "chrf", "weight": 0.5}
    rewards = ready(short, long, tell=tell, sampled=2, sample_steps=4)
    texts = ["", "я" * 9000, "Rome"] * 2
    for step in (0, 2, 4, 5):
        earned = rewards(RECORDS * 2, texts, step)
    assert [(name, step) for name, step, _ in told] == [("completions", 0), ("completions", 4)]
    first, second = told[0][2]
    assert (first["prompt"], first["completion"]) == (RECORDS[0]["prompt"], "")
    assert (second["prompt"], second["reward"]) == (RECORDS[0]["prompt"], earned.total[3])
    assert second["rewards"] == {name: each[3] for name, each in earned.components.items()}
    few = ready(short, tell=tell, sampled=8)
    few(RECORDS, texts[:3])
    assert [len(one["completion"]) for one in told[-1][2]] == [0, 2000, 4]
    told.clear()
    ready(short, tell=tell)(RECORDS, texts[:3])
    assert told == []


def test_a_judge_and_a_server_are_rewards(
    model_pool: ModelPool, tiny_judge: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = {"metric": "judge", "params": {"model": tiny_judge.name, "rubric": "fluency"}}
    monkeypatch.setattr(model_pool, "private_urls", True)
    with valuing() as server:
        remote = {"metric": "remote", "params": {"url": server.url}, "weight": 0.1}
        earned = ready(judge, remote, models=model_pool)(RECORDS, COMPLETIONS)
        again = ready(judge, remote, models=model_pool)(RECORDS, COMPLETIONS)
    assert earned.components["remote"].tolist() == [float(len(one)) for one in COMPLETIONS]
    assert ((earned.components["judge"] >= 1) & (earned.components["judge"] <= 5)).all()
    assert np.ptp(earned.components["judge"]) > 0
    assert_same(earned.total, again.total)
    expected = earned.components["judge"] + 0.1 * earned.components["remote"]
    assert_same(earned.total, expected)


def test_a_judge_that_cannot_be_read_earns_what_was_said(
    model_pool: ModelPool, tiny_judge: Path
) -> None:
    params = {"model": tiny_judge.name, "reasons": True, "max_new_tokens": 2}
    rewards = ready({"metric": "judge", "params": params, "unmeasured": 1.0}, models=model_pool)
    assert rewards(RECORDS[:1], COMPLETIONS[:1]).components["judge"].tolist() == [1.0]
    with pytest.raises(TrainingError, match="cannot be read"):
        ready({"metric": "judge", "params": params}, models=model_pool)(
            RECORDS[:1], COMPLETIONS[:1]
        )


def test_what_urls_answered_is_paid_for_once_and_within_a_budget(tmp_path: Path) -> None:
    with faulty_server(text=lambda body: "4") as server, valuing() as values:
        far = Registered("far", server.url, "good", SecretStr(KEY), private=True)
        models = ModelPool((), tmp_path, registered={"far": far}.get, private_urls=True)
        judge = {"metric": "judge", "params": {"model": "far", "repeats": 2, "temperature": 1.0}}
        remote = {"metric": "remote", "params": {"url": values.url}, "unmeasured": 0.0}
        pauses: list[TrainingError] = []

        def paying(attempt: int, requests: int) -> Rewards:
            ledger = Ledger(tmp_path, "job_1", Budget(requests=requests), attempt)
            return ready(judge, remote, models=models, ledger=ledger, pause=pauses.append)

        with pytest.raises(TrainingError, match="requests 4 of 4") as error:
            paying(1, 4)(RECORDS, COMPLETIONS)
        assert (error.value.code, error.value.field) == ("budget_spent", "options.budget")
        assert (len(server.asked), len(values.requests)) == (4, 0)
        earned = paying(2, 8)(RECORDS, COMPLETIONS)  # two more of the judge's six, one of the other
        assert (len(server.asked), len(values.requests)) == (6, 1)
        assert earned.series["usage/requests"] == 7
        assert [one.code for one in pauses] == ["budget_spent"]  # 3 were taken, 1 is left
        again = paying(3, 8)(RECORDS, COMPLETIONS)
        assert (len(server.asked), len(values.requests), len(pauses)) == (6, 1, 1)
        assert_same(earned.total, again.total)

        server.plan += ["refused_key"] * 6
        with pytest.raises(TrainingError, match="refuses the key") as error:
            paying(4, 99)(RECORDS, ["other", "texts", "here"])
        assert (error.value.code, error.value.field) == ("key_refused", "options.rewards[0]")
        assert len(server.asked) <= 12
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())
