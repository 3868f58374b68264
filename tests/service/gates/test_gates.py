"""Gates over HTTP: go, no go or inconclusive, by rules, slices and clusters; kept as they were."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from assay import AssayError, Client
from service.cli import app
from tests.known import known
from tests.service.live import Live
from tests.service.scored import scored


def answers(n: int, right: float, seed: int = 0) -> list[dict[str, Any]]:
    """Samples of which about that share is answered right, by exact match."""
    good = np.random.default_rng(seed).uniform(size=n) < right
    return [
        {
            "id": str(at),
            "prompt": f"question {at}",
            "output": f"answer {at}" if good[at] else "no idea",
            "references": [f"answer {at}"],
            "metadata": {"lang": "ru" if at % 2 else "en", "page": str(at // 5)},
        }
        for at in range(n)
    ]


@pytest.fixture(scope="module")
def systems(assay: Client) -> dict[str, str]:
    """Evaluations on `gated`, by system."""
    metrics = ["exact_match", "token_f1", "chrf", "length"]
    made = {}
    for system, right, seed in (("old", 0.8, 0), ("same", 0.8, 0), ("worse", 0.4, 1)):
        given = answers(200, right, seed)
        done = scored(assay, system=system, dataset="gated", samples=given, metrics=metrics)
        made[system] = done.id
    return made


def test_a_worse_system_is_stopped_and_an_equal_one_passes(
    assay: Client, systems: dict[str, str]
) -> None:
    gate = assay.create_gate(
        "ship",
        baseline="old",
        dataset="gated",
        rules=[
            {"score": "exact_match", "max_drop": 0.05},
            {"score": "chrf", "max_relative_drop": 0.1},
            {"score": "length", "tier": "advisory", "max_relative_drop": 0.5},
        ],
    )
    assert (gate.name, gate.version) == ("ship", 1)
    passed = assay.check_gate("ship", evaluation=systems["same"])
    assert passed.verdict == "go"
    assert passed.baseline == systems["old"]
    assert [rule.tier for rule in passed.rules] == ["critical", "critical", "advisory"]
    first = passed.rules[0]
    assert first.difference == 0.0
    assert first.margin == 0.05
    assert first.bound is not None
    assert -0.05 < first.bound < 0.0
    assert first.samples_to_settle == 0
    stopped = assay.check_gate("ship", evaluation=systems["worse"])
    assert stopped.verdict == "no_go"
    low, high = known(stopped.rules[0].interval)
    assert low < known(stopped.rules[0].difference) < high < -0.05
    history = list(assay.gate_checks("ship"))
    assert [one.id for one in history[:2]] == [stopped.id, passed.id]
    assert assay.gate_check("ship", passed.id) == passed


def test_what_is_open_says_how_many_samples_settle_it(
    assay: Client, systems: dict[str, str]
) -> None:
    near = scored(
        assay,
        system="near",
        dataset="gated",
        samples=answers(200, 0.8, 6),
        metrics=["exact_match"],
    )
    assay.create_gate(
        "strict",
        baseline="old",
        dataset="gated",
        rules=[{"score": "exact_match", "max_drop": 0.02}],
    )
    found = assay.check_gate("strict", evaluation=near.id)
    assert found.verdict == "inconclusive"
    assert found.samples_to_settle is not None
    assert found.samples_to_settle > 100
    assert found.samples_to_settle == found.rules[0].samples_to_settle


def test_slices_and_clusters(assay: Client, systems: dict[str, str]) -> None:
    rules = [{"score": "exact_match", "max_drop": 0.1, "slice": "lang=ru"}]
    assay.create_gate("ru", baseline="old", dataset="gated", rules=rules)
    assert assay.check_gate("ru", evaluation=systems["worse"]).rules[0].n == 100
    assay.create_gate(
        "pages",
        baseline="old",
        dataset="gated",
        cluster="page",
        rules=[{"score": "chrf", "max_drop": 5}],
    )
    found = assay.check_gate("pages", evaluation=systems["worse"])
    assert (found.rules[0].clusters, found.verdict) == (40, "no_go")


def test_samples_that_are_alike_are_pointed_out(assay: Client) -> None:
    rng = np.random.default_rng(0)
    for system in ("first", "second"):
        right = np.repeat(rng.uniform(size=40) < 0.6, 5).tolist()
        given = [one | {"output": f"answer {one['id']}"} for one in answers(200, 0.0)]
        texts = [
            one if good else one | {"output": "no"} for one, good in zip(given, right, strict=True)
        ]
        made = scored(assay, system=system, dataset="pages", samples=texts, metrics=["exact_match"])
    rules = [{"score": "exact_match", "max_drop": 0.05}]
    notes = {}
    for cluster in (None, "page"):
        assay.create_gate("alike", baseline="first", dataset="pages", rules=rules, cluster=cluster)
        notes[cluster] = assay.check_gate("alike", evaluation=made.id).notes
    (told,) = notes[None]
    assert "samples of the same 'page' are alike" in told
    assert "name `cluster=page`" in told
    assert notes["page"] == []


def test_a_gate_that_could_never_be_checked_is_refused(
    assay: Client, systems: dict[str, str]
) -> None:
    rule = {"score": "exact_match", "max_drop": 0.1}
    for change, param in (
        ({"baseline": "nobody"}, "baseline"),
        ({"baseline": "eval_none"}, "baseline"),
        ({"dataset": "nothing"}, "dataset"),
        ({"rules": [rule | {"score": "exactmatch"}]}, "rules[0].score"),
        ({"rules": [rule | {"slice": "lang=de"}]}, "rules[0].slice"),
        ({"rules": [rule | {"min_gain": 0.1}]}, "rules[0]"),
        ({"rules": [rule | {"tier": "advisory"}]}, "rules"),
        ({"cluster": "passage"}, "cluster"),
        ({"name": "a/b"}, "name"),
    ):
        asked: dict[str, Any] = {"name": "never", "baseline": "old", "dataset": "gated"}
        with pytest.raises(AssayError) as refused:
            assay.create_gate(**(asked | {"rules": [rule]} | change))
        assert (refused.value.status, refused.value.param) == (422, param), change
    with pytest.raises(AssayError, match="there is no gate"):
        assay.check_gate("never", evaluation=systems["same"])


def test_a_rule_that_no_check_could_settle_is_refused(assay: Client) -> None:
    """distinct-n has no part of a cluster, nor one of a slice."""
    scored(assay, system="first", dataset="parts", samples=answers(40, 0.5), metrics=["distinct_n"])
    asked: dict[str, Any] = {"baseline": "first", "dataset": "parts"}
    rule = {"score": "distinct_2", "max_drop": 0.1}
    assay.create_gate("parts", **asked, rules=[rule])
    for change in ({"cluster": "page"}, {"rules": [rule | {"slice": "lang=ru"}]}):
        with pytest.raises(AssayError, match="ever settle this rule") as refused:
            assay.create_gate("parts", **(asked | {"rules": [rule]} | change))
        assert (refused.value.code, refused.value.param) == ("never_settled", "rules[0].score")


def test_other_content_is_another_version(assay: Client, systems: dict[str, str]) -> None:
    rules = [{"score": "exact_match", "max_drop": 0.1}]
    first = assay.create_gate("versions", baseline="old", dataset="gated", rules=rules)
    again = assay.create_gate("versions", baseline="old", dataset="gated", rules=rules)
    assert again == first
    other = assay.create_gate("versions", baseline="old", dataset="gated", rules=rules, alpha=0.1)
    assert (first.version, other.version) == (1, 2)
    assert assay.gate("versions") == other
    assert assay.gate("versions@1") == first
    assert "versions" in {one.name for one in assay.gates()}


def test_sequential_gates_take_bounded_means_and_cost_width(
    assay: Client, systems: dict[str, str]
) -> None:
    rule = {"score": "exact_match", "max_drop": 0.05}
    assay.create_gate("always", baseline="old", dataset="gated", rules=[rule], sequential=True)
    found = assay.check_gate("always", evaluation=systems["worse"])
    assert found.verdict == "no_go"
    assert found.rules[0].p_go is None
    assay.create_gate("once", baseline="old", dataset="gated", rules=[rule])
    plain = known(assay.check_gate("once", evaluation=systems["worse"]).rules[0].interval)
    always = known(found.rules[0].interval)
    assert always[1] - always[0] > plain[1] - plain[0]
    rules = [{"score": "chrf", "max_drop": 0.5}]
    with pytest.raises(AssayError, match="mean of its samples' own values") as refused:
        assay.create_gate("corpus", baseline="old", dataset="gated", rules=rules, sequential=True)
    assert refused.value.param == "rules[0].score"


def test_samples_left_out_are_no_way_through(assay: Client) -> None:
    given = answers(200, 0.9)
    asked: dict[str, Any] = {"dataset": "left-out", "metrics": ["exact_match"]}
    scored(assay, system="whole", samples=given, **asked)
    done = scored(assay, system="part", samples=given[:-1], **asked)
    rules = [{"score": "exact_match", "max_drop": 0.05}]
    assay.create_gate("complete", baseline="whole", dataset="left-out", rules=rules)
    found = assay.check_gate("complete", evaluation=done.id)
    assert found.verdict == "inconclusive"
    assert known(found.rules[0].bound) > -known(found.rules[0].margin)
    assert "no value on 1 samples" in known(found.rules[0].note)


def test_the_command_exits_by_the_verdict(
    assay: Client, systems: dict[str, str], live: Live
) -> None:
    rules = [{"score": "exact_match", "max_drop": 0.05}]
    assay.create_gate("ci", baseline="old", dataset="gated", rules=rules)
    run = CliRunner().invoke
    where = ["--url", assay.url]
    for system, status, word in (("same", 0, "GO"), ("worse", 1, "NO GO")):
        found = run(app, ["gate", "ci", "--evaluation", systems[system], *where])
        assert (found.exit_code, word in found.output) == (status, True), found.output
    shown = run(app, ["gate", "ci", "--evaluation", systems["same"], "-f", "json", *where])
    assert json.loads(shown.output)["verdict"] == "go"
    assert run(app, ["gate", "nothing", "--evaluation", "eval_x", *where]).exit_code == 3
    assert run(app, ["gate", "ci", *where]).exit_code == 3
    assert run(app, ["gate", "ci", "--model", "x", "--url", "http://127.0.0.1:9"]).exit_code == 3


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ([], "Missing argument"),
        (["ci", "--evaluatoin", "eval_x"], "No such option"),
        (["ci", "--format", "nope"], "Invalid value"),
        (["ci", "eval_x"], "unexpected extra argument"),
    ],
)
def test_what_is_typed_wrong_is_no_verdict(typed: list[str], told: str) -> None:
    found = CliRunner().invoke(app, ["gate", *typed])
    assert (found.exit_code, told in found.output) == (3, True), found.output


def test_gates_have_names_of_any_script(assay: Client, systems: dict[str, str], live: Live) -> None:
    rules = [{"score": "exact_match", "max_drop": 0.05}]
    for name in ("вход на прод", "50%? #1"):
        assay.create_gate(name, baseline="old", dataset="gated", rules=rules)
        found = assay.check_gate(name, evaluation=systems["same"])
        assert (found.gate, found.verdict) == (name, "go")
        where = ["--evaluation", systems["same"], "--url", assay.url]
        done = CliRunner().invoke(app, ["gate", name, *where])
        assert done.exit_code == 0, done.output


def test_a_candidate_that_is_the_baseline_is_told(assay: Client) -> None:
    done = scored(
        assay, system="lone", dataset="lone", samples=answers(40, 0.8), metrics=["exact_match"]
    )
    rules = [{"score": "exact_match", "max_drop": 0.05}]
    assay.create_gate("lone", baseline="lone", dataset="lone", rules=rules)
    with pytest.raises(AssayError, match=f"on 'lone' other than the candidate, {done.id}"):
        assay.check_gate("lone", evaluation=done.id)
    assay.create_gate("lone", baseline=done.id, dataset="lone", rules=rules)
    (note,) = assay.check_gate("lone", evaluation=done.id).notes
    assert "compared with itself" in note


def test_what_is_settled_asks_for_no_more_samples(
    assay: Client, systems: dict[str, str], live: Live
) -> None:
    rules = [
        {"score": "exact_match", "max_drop": 0.05},
        {"score": "chrf", "max_drop": 0.5, "slice": "page=1"},
    ]
    assay.create_gate("settled", baseline="old", dataset="gated", rules=rules)
    found = assay.check_gate("settled", evaluation=systems["worse"])
    assert [one.verdict for one in found.rules] == ["no_go", "inconclusive"]
    assert found.samples_to_settle
    where = ["--evaluation", systems["worse"], "--url", assay.url]
    shown = CliRunner().invoke(app, ["gate", "settled", *where])
    assert "NO GO" in shown.output
    assert "more samples" not in shown.output


def test_power_from_stored_rows(assay: Client, systems: dict[str, str]) -> None:
    both = assay.power(systems["old"], "exact_match", systems["worse"], effect=0.05)
    assert both.n == 200
    paired = known(both.paired)
    assert known(paired.samples) > 200
    assert paired.more == known(paired.samples) - 200
    assert 0.05 < known(paired.detectable) < 0.3
    p, q = both.a, known(both.b)
    deviation = (200 / 199 * (p * (1 - p) + q * (1 - q)) / 2) ** 0.5
    assert both.unpaired.deviation == pytest.approx(deviation, rel=1e-9)
    alone = assay.power(systems["old"], "exact_match", effect=0.05, cluster="page")
    assert alone.clusters == 40
    assert alone.paired_with
    with pytest.raises(AssayError) as refused:
        assay.power(systems["old"], "exact", effect=0.05)
    assert refused.value.param == "metric"


def test_power_pairs_with_the_score_of_the_same_parameters(assay: Client) -> None:
    given = answers(40, 0.7)
    asked: dict[str, Any] = {"dataset": "twice", "samples": given}
    alone = scored(assay, system="one", metrics=["exact_match"], **asked)
    other = [{"name": "exact_match", "params": {"normalization": "none"}}, "exact_match"]
    both = scored(assay, system="two", metrics=other, **asked)
    found = assay.power(alone.id, "exact_match", effect=0.1)
    assert found.paired_with == [both.id]


def test_an_evaluation_stops_once_its_gate_is_settled(assay: Client) -> None:
    size = 3000
    base = scored(
        assay, system="base", dataset="long", samples=answers(size, 0.9), metrics=["exact_match"]
    )
    rules = [{"score": "exact_match", "max_drop": 0.05}]
    asked: dict[str, Any] = {"baseline": base.id, "dataset": "long", "rules": rules}
    assay.create_gate("plain-stop", **asked)
    texts = {one["id"]: one["output"] for one in answers(size, 0.2, seed=1)}
    again: dict[str, Any] = {
        "system": "hopeless",
        "dataset": "long",
        "outputs": texts,
        "metrics": ["exact_match"],
    }
    with pytest.raises(AssayError, match="not sequential") as refused:
        assay.evaluate(**again, stop_when_settled="plain-stop")
    assert refused.value.param == "stop_when_settled"
    assay.create_gate("stop", **asked, sequential=True)
    with pytest.raises(AssayError, match="asks for 'exact_match'") as lacking:
        assay.evaluate(**again | {"metrics": ["chrf"]}, stop_when_settled="stop")
    assert lacking.value.param == "metrics"
    queued = assay.evaluate(**again, stop_when_settled="stop")
    ended = assay.wait(queued.id, timeout=120)
    assert ended.status == "cancelled"
    (found,) = assay.gate_checks("stop")
    assert (found.evaluation, found.verdict) == (queued.id, "no_go")
    assert 0 < known(found.n) < size
    last = list(assay.events(queued.id))[-1]
    assert last.data["settled_by"]["gate"] == "stop"


def test_a_model_is_evaluated_as_the_baseline_was(assay: Client) -> None:
    given = answers(8, 0.9)
    scored(assay, system="first", dataset="short", samples=given, metrics=["exact_match", "chrf"])
    rules = [{"score": "exact_match", "max_drop": 0.1}]
    assay.create_gate("models", baseline="first", dataset="short", rules=rules)
    asked = assay.check_gate("models", model="tiny-language", generation={"max_new_tokens": 4})
    assert asked.verdict is None
    found = assay.gate_check("models", asked.id, wait=120)
    assert found.verdict == "no_go"
    made = assay.evaluation(found.evaluation)
    assert (made.model, [one["name"] for one in made.metrics]) == ("tiny-language", ["exact_match"])
    again = assay.check_gate("models", model="tiny-language")
    assert (again.evaluation, again.verdict) == (found.evaluation, "no_go")
    # one that was measured otherwise is no answer to what this gate asks
    assay.create_gate(
        "models-chrf", baseline="first", dataset="short", rules=[{"score": "chrf", "max_drop": 1}]
    )
    other = assay.check_gate("models-chrf", model="tiny-language", generation=None)
    assert other.evaluation != found.evaluation
    assay.cancel(other.evaluation)
    with pytest.raises(AssayError) as refused:
        assay.check_gate("models", model="no-such-model")
    assert refused.value.param == "model"
    with pytest.raises(AssayError, match="there is no checkpoint"):
        assay.check_gate("models", checkpoint="ckpt_none")


def test_power_tells_questions_from_draws(assay: Client) -> None:
    chance = np.random.default_rng(5)
    easy = chance.uniform(size=60)
    given = [
        {
            "id": str(at),
            "outputs": ["yes" if one < easy[at] else "no" for one in chance.uniform(size=4)],
            "references": ["yes"],
        }
        for at in range(60)
    ]
    done = scored(assay, dataset="draws", samples=given, metrics=["exact_match"])
    found = assay.power(done.id, "exact_match", effect=0.1)
    parts = known(found.variance)
    half, *_, limit = found.draws
    assert (half.outputs, limit.outputs) == (8, None)
    whole = parts.questions + parts.draws
    assert half.error_ratio == pytest.approx(((whole - parts.draws / 2) / whole) ** 0.5)
    assert limit.error_ratio == pytest.approx((parts.questions / whole) ** 0.5)
    assert known(limit.samples) < known(half.samples) < known(found.unpaired.samples)
    assert found.paired is None
    assert "no other system" in found.notes[0]


def test_one_cluster_alone_is_told(assay: Client, systems: dict[str, str]) -> None:
    rules = [{"score": "chrf", "max_drop": 5, "slice": "page=1"}]
    assay.create_gate("one", baseline="old", dataset="gated", rules=rules, cluster="page")
    (rule,) = assay.check_gate("one", evaluation=systems["same"]).rules
    assert (rule.verdict, rule.clusters) == ("inconclusive", 1)
    assert "one cluster alone" in known(rule.note)
