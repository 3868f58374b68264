"""A chat-completions server that answers well, or fails in the way that it is told to.

A request's fault is the next of `plan`, or else the `model` that it names where that is a fault.

    python -m tests.faulty_server [SECONDS]    a process that takes so long to answer; says its URL
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time
from typing import Any

KEY = "sk-secret-0123456789"
ENDS = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(slots=True)
class FaultyServer:
    """What it was asked, and what it shall do next."""

    seconds: float = 0.0  # until an answer
    late_s: float = 5.0  # until a late one
    retry_after: str = "1"
    plan: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    text: Callable[[dict[str, Any]], str] | None = None  # of an answer, by the request's body
    keep: bool = True  # what was asked
    url: str = ""
    most: int = 0  # requests that were out at once
    out: int = 0

    async def serve(self) -> asyncio.Server:
        """Listen on a free port."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        return server

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._request(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays open."""
        head = (await reader.readuntil(ENDS)).decode().split("\r\n")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
        path = head[0].split()[1]
        if self.keep:
            self.asked.append(Asked(path, headers, body))
        self.out += 1
        self.most = max(self.most, self.out)
        try:
            if self.seconds:
                await asyncio.sleep(self.seconds)
            fault = self.plan.pop(0) if self.plan else str(body.get("model"))
            if fault == "late":
                await asyncio.sleep(self.late_s)
        finally:
            self.out -= 1
        data, stays = self._answer(fault, path, headers, body)
        writer.write(data)
        await writer.drain()
        return stays

    def _answer(
        self, fault: str, path: str, headers: dict[str, str], body: dict[str, Any]
    ) -> tuple[bytes, bool]:
        made = {"/v1/completions": completion, "/v1/embeddings": embedding}
        good = made.get(path, self._chat)(body)
        whole = json.dumps(good).encode()
        if fault == "reset":
            return b"", False
        if fault in {"cut", "cut_at_the_end"}:  # announced as a stream that then just ends
            sent = whole if fault == "cut_at_the_end" else whole[: len(whole) // 2]
            chunked = b"%x\r\n%b\r\n" % (len(sent), sent)
            start = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
            return start + b"transfer-encoding: chunked" + ENDS + chunked, False
        if fault in {"rate", "rate_date"}:
            later = formatdate(time() + 1.5, usegmt=True)
            after = later if fault == "rate_date" else self.retry_after
            return answer(429, problem("slow down"), f"retry-after: {after}"), True
        if fault == "refused_key":
            said = f"wrong key: {headers.get('authorization')}"
            return answer(401, problem(said)), True
        if fault == "moved":
            return answer(307, {}, "location: http://169.254.169.254/"), True
        return answer(*FAULTS.get(fault, (200, good))), True

    def _chat(self, body: dict[str, Any]) -> dict[str, Any]:
        said = self.text(body) if self.text else f"You said: {body['messages'][-1]['content']}"
        if not self.text and body.get("temperature"):
            said += f" ({body.get('seed')})"
        one: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": said},
            "finish_reason": "stop",
        }
        if body.get("logprobs"):
            top = [{"token": "A", "logprob": -0.25}, {"token": " B", "logprob": -1.5}]
            top += [{"token": "B.", "logprob": -3.0}, {"token": "Beer", "logprob": -4.0}]
            top += [{"token": "хор", "logprob": -2.0}, {"token": "пл", "logprob": -2.5}]
            one["logprobs"] = {"content": [{"token": "A", "logprob": -0.25, "top_logprobs": top}]}
        choices = [one | {"index": index} for index in range(body.get("n") or 1)]
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": "served-1",
            "system_fingerprint": "fp_1",
            "choices": choices,
            "usage": {
                "prompt_tokens": sum(len(one["content"].split()) for one in body["messages"]),
                "completion_tokens": len(said.split()) * len(choices),
            },
        }


def completion(body: dict[str, Any]) -> dict[str, Any]:
    """An answer of /completions, with the prompt's tokens where they are asked for: each word is a
    token, the less likely the longer it is. The model `wrong_echo` has others for prompts."""
    words = str(body.get("prompt")).split(" ")
    given = [word if at == 0 else f" {word}" for at, word in enumerate(words)]
    echoed = given if body.get("echo") else []
    tokens = [*echoed, " Paris"]
    off = 1.0 if body.get("model") == "wrong_echo" else 0.0
    values = [-len(token) / 8 - off * (at < len(echoed)) for at, token in enumerate(tokens)]
    told: list[float | None] = [None, *values[1:]] if echoed else [*values]
    logprobs = {"tokens": tokens, "token_logprobs": told} if "logprobs" in body else None
    if body.get("model") == "no_echo":
        logprobs = None
    choice = {"index": 0, "text": "".join(tokens), "logprobs": logprobs, "finish_reason": "length"}
    return {"object": "text_completion", "model": "served-1", "choices": [choice]}


def embedding(body: dict[str, Any]) -> dict[str, Any]:
    """An answer of /embeddings: how often each vowel stands in each text, the last text first.
    Empty ones are refused, lists of over two by the model `two_texts`; `no_index` tells none."""
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    if not all(texts):
        return problem("the input is empty")
    if body["model"] == "two_texts" and len(texts) > 2:
        return problem("batch size over 2")
    data: list[dict[str, Any]] = [
        {
            "object": "embedding",
            "index": at,
            "embedding": [float(text.count(one)) for one in "aeiou"],
        }
        for at, text in enumerate(texts)
    ]
    if body["model"] == "no_index":
        data = [{"embedding": one["embedding"]} for one in data]
    tokens = sum(len(text.split()) for text in texts)
    return {"object": "list", "data": data[::-1], "usage": {"prompt_tokens": tokens}}


def problem(message: str, code: str | None = None) -> dict[str, Any]:
    """An error as these servers word it."""
    return {"error": {"message": message, "type": "some_error", "param": None, "code": code}}


def answered(**message: object) -> dict[str, Any]:
    """A whole answer with this message."""
    finish = message.pop("finish", "stop")
    return {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}


def answer(status: int, content: object, *headers: str) -> bytes:
    """A whole HTTP answer."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    kind = "text/html" if data[:1] == b"<" else "application/json"
    lines = [f"HTTP/1.1 {status} Said", f"content-type: {kind}", f"content-length: {len(data)}"]
    return "\r\n".join([*lines, *headers]).encode() + ENDS + data


FAULTS: dict[str, tuple[int, object]] = {
    "broken": (500, problem("it broke")),
    "broken_list": (422, problem("input should be a valid string")),
    "html": (200, b"<!doctype html><title>Log in</title>"),
    "html_503": (503, b"<html><script>alert(1)</script></html>"),
    "malformed": (200, b'{"choices": [{"message": {"content": "hal'),
    "nested": (200, b"[" * 100_000),
    "list": (200, []),
    "empty": (200, b""),
    "error_body": (200, problem("the model's provider failed \x1b[31m" + "!" * 10_000)),
    "error_body_502": (200, {"error": {"code": 502, "message": "no provider"}}),
    "no_choices": (200, {"choices": []}),
    "no_message": (200, {"choices": [{"index": 0, "text": "a completion"}]}),
    "no_content": (200, {"choices": [{"message": {"role": "assistant"}}]}),
    "null_content": (200, answered(content=None)),
    "refusal": (200, answered(content=None, refusal="I will not.")),
    "filtered": (200, answered(content="Half of", finish="content_filter")),
    "filtered_400": (400, problem("the prompt was filtered", "content_filter")),
    "reasoning": (200, answered(content="4", reasoning_content="2 and 2")),
    "think": (200, answered(content="<think>\n2 and 2\n</think>\n\n4")),
    "nul": (200, answered(content="a\x00b\ud800")),
    "unknown_model": (404, problem("no such model", "model_not_found")),
    "too_long": (
        400,
        problem("This model's maximum context length is 10 tokens.", "context_length_exceeded"),
    ),
    "spent": (429, problem("pay first", "insufficient_quota")),
}


@contextmanager
def faulty_server(**settings: Any) -> Iterator[FaultyServer]:
    """A server in a thread of this process."""
    made = FaultyServer(**settings)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(made.serve(), loop).result()
    yield made

    async def end() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _main(seconds: float) -> None:
    made = FaultyServer(seconds=seconds, keep=False)
    server = await made.serve()
    print(made.url, flush=True)  # noqa: T201
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
