"""Rewards that frameworks of others ask for by a URL, stored by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.exchange import Script, ask, create, delete, get
from assay.model_models import DeletedReward, StoredReward
from assay.models import Page

ROOT = "/v1/rewards"


def create_reward(
    name: str,
    rewards: Sequence[Mapping[str, object]],
    *,
    ends: Sequence[str] | None = None,
    idempotency_key: str | None = None,
) -> Script[StoredReward]:
    """Store a reward, to be asked for at `/get_reward/{name}`.

    Args:
        rewards: each `{"metric": …}` with, if wanted, `params`, `name` (which score), `weight`
            and `unmeasured`: as in the options of a training job.
        ends: texts that an output ends at, as `<|im_end|>`.
        idempotency_key: the same key and body give the same answer.
    """
    body: dict[str, object] = {"name": name, "rewards": list(rewards)}
    if ends is not None:
        body["ends"] = list(ends)
    return ask(create(ROOT, body, idempotency_key), StoredReward)


def rewards() -> Script[list[StoredReward]]:
    """All stored rewards, by name."""
    return (yield from ask(get(ROOT), Page[StoredReward])).data


def reward(name: str) -> Script[StoredReward]:
    """One of them."""
    return ask(get(ROOT, name), StoredReward)


def delete_reward(name: str) -> Script[DeletedReward]:
    """Forget a stored reward."""
    return ask(delete(ROOT, name), DeletedReward)
