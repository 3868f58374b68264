"""What outputs earn that a framework asks about: a weighted sum of metrics' values, as in training.

R(x, y) = Σ_i weight_i · value_i(x, y)
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence

import orjson

from service.errors import ApiError, invalid
from service.evaluations.schemas import MetricIn, SampleIn
from service.http.gate import Gate
from service.scoring.reward_schemas import Label, RewardIn, RewardsOut, RewardTerms
from service.scoring.routes import scores_of
from service.scoring.schemas import ScoredOut, ScoreIn
from service.settings import Settings
from trainers.job.options import Reward

WAIT = 170.0  # seconds: OpenRLHF's client waits 180

SAMPLE = re.compile(r"samples\[(?P<index>\d+)\]\.?(?P<field>\w*)")
SENT = {"references": "labels", "prompt": "prompts"}

Scores = Mapping[str, ScoredOut]


async def earned(gate: Gate, settings: Settings, terms: RewardTerms, body: RewardIn) -> RewardsOut:
    """What each query earns. Raises 422 where one has no value, and `unmeasured` gives it none."""
    samples = _samples(body, terms.ends)
    if not samples:
        return RewardsOut(rewards=[], scores=[], extra_logs={})
    # a request for each metric: two of them may have a score of one name
    asked = {_key(one): MetricIn(name=one.metric, params=dict(one.params)) for one in terms.rewards}
    answers = await asyncio.gather(
        *(_scores(gate, settings, metric, samples) for metric in asked.values())
    )
    found = dict(zip(asked, answers, strict=True))
    total = [0.0] * len(samples)
    for reward in terms.rewards:
        values = _values(reward, found[_key(reward)])
        total = [so_far + reward.weight * own for so_far, own in zip(total, values, strict=True)]
    return RewardsOut(rewards=total, scores=total, extra_logs=_logs(terms.rewards, found))


async def _scores(
    gate: Gate, settings: Settings, metric: MetricIn, samples: list[SampleIn]
) -> Scores:
    """Of one metric. An error names the list that was sent, not the sample made of it."""
    try:
        asked = ScoreIn(metrics=[metric], samples=samples)
        return (await scores_of(gate, settings, asked, WAIT)).scores
    except ApiError as error:
        place = SAMPLE.match(error.param or "")
        if place is not None:
            error.param = f"{SENT.get(place['field'], 'query')}[{place['index']}]"
            error.message = f"{error.param}: {error.message}"
        raise


def _key(reward: Reward) -> bytes:
    """Equal where the metric and its parameters are."""
    return orjson.dumps([reward.metric, dict(reward.params)], option=orjson.OPT_SORT_KEYS)


def _values(reward: Reward, scores: Scores) -> list[float]:
    name = reward.name if reward.name is not None else next(iter(scores))
    if name not in scores:
        raise invalid("unknown_score", f"the metric has {', '.join(scores)}", "score")
    per_sample = scores[name].per_sample
    if per_sample is None:
        why = (scores[name].error or {}).get("message") or "it is a score of the whole set"
        raise invalid("no_reward", f"{name} has no value for each sample: {why}", "metric")
    values = []
    for at, value in enumerate(per_sample):
        if value is None and reward.unmeasured == "fail":
            message = (
                f"{name} has no value for query[{at}]; `missing=0` in the URL, or `unmeasured` of "
                "a stored reward, gives it one"
            )
            raise invalid("no_reward", message, f"query[{at}]")
        values.append(_filled(value, reward))
    return values


def _filled(value: float | None, reward: Reward) -> float:
    if value is not None:
        return value
    return 0.0 if reward.unmeasured == "fail" else reward.unmeasured


def _logs(rewards: Sequence[Reward], found: Mapping[bytes, Scores]) -> dict[str, list[float]]:
    """All scores of each metric; a second one of a name is `name#2`."""
    logs: dict[str, list[float]] = {}
    first = {_key(one): one for one in reversed(rewards)}
    for key, scores in found.items():
        for name, scored in scores.items():
            if scored.per_sample is None:
                continue
            again = sum(1 for one in logs if one.partition("#")[0] == name)
            unique = f"{name}#{again + 1}" if again else name
            logs[unique] = [_filled(value, first[key]) for value in scored.per_sample]
    return logs


def _samples(body: RewardIn, ends: Sequence[str]) -> list[SampleIn]:
    for name, several in (("prompts", body.prompts), ("labels", body.labels)):
        if several is not None and len(several) != len(body.query):
            message = f"{len(several)} {name} for {len(body.query)} queries"
            raise invalid("wrong_length", message, name)
    nothing = [None] * len(body.query)
    prompts: Sequence[str | None] = body.prompts or nothing
    labels: Sequence[Label] = body.labels or nothing
    return [
        SampleIn(
            id=str(index),
            output=_output(query, prompt, ends),
            references=_references(label),
            prompt=prompt,
        )
        for index, (query, prompt, label) in enumerate(
            zip(body.query, prompts, labels, strict=True)
        )
    ]


def _output(query: str, prompt: str | None, ends: Sequence[str]) -> str:
    """What stands behind the prompt, before which a tokenizer may have put a token of its own."""
    at = query.find(prompt) if prompt else -1
    output = query[at + len(prompt or "") :] if at >= 0 else query
    cuts = [place for place in (output.find(end) for end in ends if end) if place >= 0]
    return output[: min(cuts)] if cuts else output


def _references(label: Label) -> list[str]:
    """Of "" none: OpenRLHF sends it where its data has no labels."""
    several = label if isinstance(label, list) else [label]
    return [str(one) for one in several if one not in (None, "")]
