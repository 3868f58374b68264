"""A request from a random generator: by the OpenAPI document, then broken in some place."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote

from tests.fuzzing.known import Known
from tests.fuzzing.values import Values

HEADERS: dict[str, tuple[bytes, ...]] = {
    "authorization": (b"Bearer", b"Bearer \xff", b"Basic eA==", b"Bearer " + b"a" * 5000, b""),
    "accept": (b"text/event-stream", b"*/*;q=\xff", b"", b"application/json, " * 50),
    "content-type": (b"text/plain", b"application/json; charset=utf-7", b"\xff", b"", b"a" * 9000),
    "content-encoding": (b"gzip", b"br", b"nothing"),
    "host": (b"", b"evil.example", b"127.0.0.1:99999", b"[::1", b"a@b"),
    "idempotency-key": (b"k", b"", b"\xff\xfe", b"k" * 201, b"a\tb", b"\xd0\xba"),
    "last-event-id": (b"-1", b"1e3", b"9" * 40, b"\xd9\xa3", b"", b"0"),
    "origin": (b"null", b"https://evil.example", b"http://[", b"\xff"),
    "prefer": (b"wait=-1", b"wait=0", b"wait=\xd9\xa3", b"wait=1;wait=2", b"wait=", b"x"),
    "range": (b"bytes=0-", b"bytes=-1-", b"x"),
    "sec-fetch-site": (b"cross-site", b"same-origin", b"\xff"),
    "transfer-encoding": (b"identity",),
    "x-request-id": (b"\xff", b"a b", b"x" * 5000, b"ok"),
}
QUERIES = ("", " ", "-1", "0", "1e9", "9" * 30, "\ud800", "\x00", "кошка", "a" * 2000, "٣", "%")
CURSORS = ("eval_", "ds_1", "ckpt_zzzz", "1.5", "2147483648", "-5", "eval_" + "z" * 23, "\ufffd")


@dataclass(slots=True)
class Asked:
    """A request: `path` is quoted and has the query."""

    method: str
    path: str
    route: str
    headers: dict[str, bytes] = field(default_factory=dict)
    content: bytes = b""


class Requests:
    """Requests without an end; the same seed gives the same ones."""

    def __init__(self, random: Random, document: dict[str, Any], known: Known) -> None:
        self.random = random
        self.known = known
        self.values = Values(random, document, 0.0)
        self.operations = [
            (method.upper(), path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]

    def next(self) -> Asked:
        """One request."""
        method, route, operation = self.random.choice(self.operations)
        self.values.rate = self.random.choice((0.0, 0.02, 0.1, 0.4))
        if self.random.random() < 0.02:
            method = self.random.choice(("PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"))
        path = self._path(route) + self._query(operation)
        asked = Asked(method, path, f"{method} {route}")
        self._body(asked, operation)
        if operation.get("security"):
            asked.headers["authorization"] = f"Bearer {self.known.token}".encode()
        for name, odd in HEADERS.items():
            if self.random.random() < 0.02:
                asked.headers[name] = self.random.choice(odd)
        return asked

    def _path(self, route: str) -> str:
        parts = []
        for part in route.split("/"):
            name = part[1:-1]
            kind = "fought" if name == "arena" and "{battle}" in route else name
            known = self.known.paths.get(kind, ["x"])
            odd = self.random.random() < 0.15
            value = str(self.values.hostile())[:3000] if odd else self.random.choice(known)
            parts.append(_quoted(value) if part.startswith("{") else part)
        return "/".join(parts)

    def _query(self, operation: dict[str, Any]) -> str:
        pairs = []
        for one in operation.get("parameters", []):
            if one["in"] != "query" or not (one.get("required") or self.random.random() < 0.3):
                continue
            name, value = one["name"], self.random.choice(QUERIES + CURSORS)
            if self.random.random() < 0.7:
                value = str(self.values.of(one["schema"]))
                if name in self.known.queries and self.random.random() < 0.8:
                    value = self.random.choice(self.known.queries[name])
            pairs.append(f"{name}={_quoted(value)}")
        if self.random.random() < 0.02:
            pairs.append(_quoted(str(self.values.hostile())[:500]) + "=1")
        return "?" + "&".join(pairs) if pairs else ""

    def _body(self, asked: Asked, operation: dict[str, Any]) -> None:
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            asked.headers["content-type"] = b"application/json"
            asked.content = self._json(content["application/json"]["schema"])
        elif content:
            asked.headers["content-type"] = self.random.choice(sorted(content)).encode()
            asked.content = self._file()
        elif asked.method == "POST" and self.random.random() < 0.1:
            asked.headers["content-type"] = b"application/json"
            asked.content = self._spoiled(b"{}")

    def _json(self, schema: dict[str, Any]) -> bytes:
        kinds = [schema, *schema.get("anyOf", [])]  # a body that may be left out: or null
        name = next(str(one["$ref"]) for one in kinds if "$ref" in one)
        examples = self.known.bodies.get(name.rpartition("/")[2], [])
        if examples and self.random.random() < 0.7:
            value = self.values.changed(self.random.choice(examples))
        else:
            value = self.values.of(schema)
        text = json.dumps(value, ensure_ascii=self.random.random() < 0.8)
        return self._spoiled(text.encode("utf-8", "surrogatepass"))

    def _spoiled(self, content: bytes) -> bytes:
        """The bytes, rarely cut, in another encoding, or with some of them changed."""
        chance = self.random.random()
        if chance < 0.02:
            return content[: self.random.randrange(len(content) + 1)]
        if chance < 0.04 and content:
            at = self.random.randrange(len(content))
            return content[:at] + self.random.randbytes(3) + content[at + 1 :]
        if chance < 0.05:
            return content.decode("utf-8", "replace").encode("utf-16")
        if chance < 0.06:
            return self.random.choice((b"[" * 100_000, b'{"a":' * 5000, b"\xef\xbb\xbf" + content))
        return content

    def _file(self) -> bytes:
        """A file of records, rarely of the format that the query names."""
        rows = [self.values.changed({"id": str(at), "prompt": "Hi?"}) for at in range(3)]
        made = self.random.choice((_jsonl, _csv, _parquet))(rows)
        return self._spoiled(made)


def _quoted(value: str) -> str:
    return quote(value.encode("utf-8", "surrogatepass"), safe="")


def _jsonl(rows: list[Any]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def _csv(rows: list[Any]) -> bytes:
    lines = ["id,prompt,references"] + [f'{at},"{row!r:.500}",x' for at, row in enumerate(rows)]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _parquet(rows: list[Any]) -> bytes:
    import pyarrow as arrow
    from pyarrow import parquet

    sink = io.BytesIO()
    texts = [f"{row!r:.200}".encode("utf-8", "replace").decode() for row in rows]
    parquet.write_table(arrow.table({"prompt": texts, "n": list(range(len(rows)))}), sink)
    return sink.getvalue()
