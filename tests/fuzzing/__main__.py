"""100,000 requests to a real service, counted by status: python -m tests.fuzzing [--requests N]

Fails with the first bytes of each request that was answered by 5xx, except 503: no worker in time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from random import Random

import httpx
import rich

from service.db.migrations import migrate
from service.serve.postgres import EmbeddedPostgres
from tests.fuzzing.asked import Asked, Requests
from tests.fuzzing.known import fill
from tests.service.live import Live
from tests.tiny_models import build_language_model

AT_ONCE = 8
PATIENCE = 150.0  # seconds: POST /v1/score waits for a worker up to 120
NO_ANSWER = 0


class Counts:
    """Answers by route and status, and the requests that were answered by 5xx."""

    def __init__(self, log: Path) -> None:
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.log = log
        self.done = 0

    def add(self, asked: Asked, status: int, said: str) -> None:
        """Count an answer; write down one that must not be."""
        self.done += 1
        self.statuses[asked.route, status] += 1
        if status == NO_ANSWER or status >= 500:
            entry = {
                **{"status": status, "method": asked.method, "path": asked.path, "said": said},
                **{"headers": {k: v.decode("latin-1") for k, v in asked.headers.items()}},
                **{"content": asked.content.decode("latin-1")[:20_000]},
            }
            with self.log.open("a") as file:
                file.write(json.dumps(entry) + "\n")

    def table(self) -> str:
        """Markdown: a row a status."""
        total: Counter[int] = Counter()
        for (_, status), count in self.statuses.items():
            total[status] += count
        rows = [f"| {status or 'none'} | {count:,} |" for status, count in sorted(total.items())]
        return "\n".join(["| status | answers |", "|---|---|", *rows])


async def ask(client: httpx.AsyncClient, asked: Asked, counts: Counts, tries: int = 2) -> None:
    """One request; of a stream, the head alone. Asked again where the service closed a connection
    that was idle as the request went out."""
    headers = [(name.encode(), value) for name, value in asked.headers.items()]
    try:
        request = client.build_request(
            asked.method, asked.path, headers=headers, content=asked.content
        )
        answer = await client.send(request, stream=True)
        said = ""
        if "event-stream" not in answer.headers.get("content-type", ""):
            said = (await answer.aread()).decode("utf-8", "replace")
        await answer.aclose()
        counts.add(asked, answer.status_code, said[:1000])
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        if isinstance(error, httpx.LocalProtocolError | httpx.InvalidURL):
            return  # our own client refuses to send it
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError) and tries > 1:
            await ask(client, asked, counts, tries - 1)
            return
        counts.add(asked, NO_ANSWER, repr(error))


async def fuzz(base: str, requests: Requests, wanted: int, counts: Counts) -> None:
    """Asks until `wanted` requests were answered."""
    began = time.monotonic()
    told = 0

    async def work(client: httpx.AsyncClient) -> None:
        nonlocal told
        while counts.done < wanted:
            await ask(client, requests.next(), counts)
            if counts.done >= told + 5000:
                told = counts.done
                rich.print(f"{told:,} after {time.monotonic() - began:,.0f} s")
                rich.print(counts.table(), flush=True)

    async with httpx.AsyncClient(base_url=base, timeout=PATIENCE) as client:
        await asyncio.gather(*(work(client) for _ in range(AT_ONCE)))


def main() -> int:
    """Starts a service of its own, asks, prints the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, default=Path("fuzz.jsonl"))
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assay-fuzz-")))
        folder.chmod(0o755)
        server = stack.enter_context(EmbeddedPostgres(folder / "data"))
        migrate(server.url)
        build_language_model(folder / "models" / "tiny-language")
        live = Live(
            server.url,
            folder / "data",
            model_roots=str(folder / "models"),
            max_body_bytes="3000000",
            log_level="ERROR",
        )
        stack.callback(live.close)
        live.api()
        live.worker()
        known = fill(live.base, server.url, folder / "data" / "checkpoint-2")
        document = httpx.get(f"{live.base}/openapi.json", timeout=PATIENCE).json()
        counts = Counts(given.log)
        requests = Requests(Random(given.seed), document, known)
        asyncio.run(fuzz(live.base, requests, given.requests, counts))
    rich.print(counts.table())
    bad = sum(n for (_, status), n in counts.statuses.items() if status in {0, 500, 502, 504})
    rich.print(f"{bad} without an answer or with 500: see {given.log}" if bad else "no 500")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
