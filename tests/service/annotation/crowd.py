"""Many annotators at once, who think for a while, and send again what was not answered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from random import Random
from typing import Any

import httpx

PATIENCE = 60.0  # seconds


@dataclass(slots=True)
class Crowd:
    """What people were told. `voted`: slot ids of votes that the service has answered; `seconds`
    that each `next` took."""

    base: str
    pause: float  # seconds of thought, on average
    voted: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    broken: int = 0

    async def work(self, tokens: list[str], votes: int) -> None:
        """Everybody votes until nothing is left, `votes` times at most."""
        limits = httpx.Limits(max_connections=len(tokens), max_keepalive_connections=len(tokens))
        async with httpx.AsyncClient(base_url=self.base, limits=limits, timeout=PATIENCE) as http:
            await asyncio.gather(*(self._person(http, one, votes) for one in tokens))

    async def _person(self, http: httpx.AsyncClient, token: str, votes: int) -> None:
        random = Random(token)
        await asyncio.sleep(random.random() * self.pause)
        for _ in range(votes):
            begun = time.perf_counter()
            found = await self._ask(http, token, "next", {})
            self.seconds.append(time.perf_counter() - begun)
            if found["item"] is None:
                if not found["remaining"]:
                    return
                continue
            await asyncio.sleep(2 * random.random() * self.pause)
            item = found["item"]["id"]
            choice = random.choice(("a", "b", "tie"))
            answer = await self._ask(http, token, "votes", {"item": item, "choice": choice})
            if "error" in answer:
                self.refused.append(answer["error"]["code"])
            else:
                assert item not in self.voted, "a slot was voted on by two"
                self.voted[item] = token

    async def _ask(
        self, http: httpx.AsyncClient, token: str, path: str, body: dict[str, Any]
    ) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}"}
        until = time.monotonic() + PATIENCE
        while True:
            try:
                sent = await http.post(f"/v1/annotate/{path}", json=body or None, headers=headers)
                if sent.status_code < 500:
                    return dict(sent.json())
            except httpx.TransportError:
                self.broken += 1
            assert time.monotonic() < until, f"nobody answers {path}"
            await asyncio.sleep(0.2)
