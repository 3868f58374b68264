"""A typed client of the HTTP API.

with Client("http://127.0.0.1:8000") as assay:
    made = assay.evaluate(system="my-model", dataset="news", samples=[...], metrics=["chrf"])
    done = assay.wait(made.id)
    for score in done.scores:
        print(score.name, score.value, score.interval)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field

FINAL = frozenset({"succeeded", "failed", "cancelled"})

MetricLike = str | Mapping[str, Any]


class AssayError(Exception):
    """The service refused: `status`, `code`, the offending `param`, and the request's id."""

    def __init__(
        self, status: int, code: str, message: str, param: str | None, request_id: str | None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.request_id = request_id


class Answer(BaseModel):
    """Fields may be added to answers; older clients ignore them."""

    model_config = ConfigDict(extra="ignore")


class Progress(Answer):
    done: int
    total: int


class Score(Answer):
    metric: str
    name: str
    slice: str | None = None
    value: float | None
    interval: tuple[float, float] | None
    level: float
    n: int
    missing: int
    higher_is_better: bool
    interval_method: str
    signature: str | None
    warnings: list[str] = Field(default_factory=list)
    error: dict[str, Any] | None = None


class Evaluation(Answer):
    id: str
    status: str
    system: str
    dataset: str
    dataset_version: int
    dataset_id: str
    model: str | None = None
    progress: Progress
    scores: list[Score]
    slices: list[Score] = Field(default_factory=list)
    error: dict[str, Any] | None = None

    def score(self, name: str) -> Score:
        """The score called `name`. Raises KeyError."""
        for score in self.scores:
            if score.name == name:
                return score
        raise KeyError(name)


class Dataset(Answer):
    id: str
    name: str
    version: int
    kind: str
    digest: str
    size: int


class Sample(Answer):
    id: str
    prompt: str | None
    outputs: list[str]
    references: list[str]
    metadata: dict[str, Any]
    scores: dict[str, float | None]


class BoardRow(Answer):
    rank: int
    rank_interval: tuple[int, int]
    system: str
    evaluation: str
    value: float
    interval: tuple[float, float] | None
    n: int
    p_vs_next: float | None


class Leaderboard(Answer):
    dataset: str
    version: int
    metric: str
    higher_is_better: bool
    signature: str
    rows: list[BoardRow]
    left_out: list[dict[str, Any]]


class Event(Answer):
    """One event; `id` is None for progress, which is not stored."""

    id: int | None
    type: str
    data: dict[str, Any]


class Client:
    """Speaks to one service. Not shared between threads while streaming."""

    def __init__(
        self, url: str = "http://127.0.0.1:8000", timeout: float = 60.0, retries: int = 3
    ) -> None:
        self.url = url
        transport = httpx.HTTPTransport(retries=retries)  # of connecting, never of requests
        self._http = httpx.Client(base_url=url, timeout=timeout, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Any:
        """Any endpoint; the parsed JSON. Raises AssayError."""
        sent = dict(headers or {})
        content = None
        if body is not None:
            content = orjson.dumps(body)
            sent["content-type"] = "application/json"
        known = {name: value for name, value in query.items() if value is not None}
        response = self._http.request(method, path, content=content, headers=sent, params=known)
        return _checked(response)

    def evaluate(
        self,
        *,
        metrics: Sequence[MetricLike],
        system: str | None = None,
        dataset: str | None = None,
        samples: Sequence[Mapping[str, Any]] | None = None,
        outputs: Mapping[str, str | Sequence[str]] | None = None,
        model: str | None = None,
        generation: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> Evaluation:
        """Queue an evaluation; see `POST /v1/evaluations` for what goes together."""
        given = {
            "system": system,
            "dataset": dataset,
            "samples": samples,
            "outputs": outputs,
            "model": model,
            "generation": generation,
            "metrics": list(metrics),
            **more,
        }
        body = {name: value for name, value in given.items() if value is not None}
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return Evaluation.model_validate(
            self.request("POST", "/v1/evaluations", body, headers=headers)
        )

    def evaluation(self, evaluation: str, wait: float = 0) -> Evaluation:
        """As it is now, or once it has ended, at most `wait` seconds later."""
        headers = {"Prefer": f"wait={int(wait)}"} if wait >= 1 else {}
        found = self.request("GET", f"/v1/evaluations/{evaluation}", headers=headers)
        return Evaluation.model_validate(found)

    def wait(
        self,
        evaluation: str,
        timeout: float = 600.0,
        progress: Callable[[Progress], None] | None = None,
    ) -> Evaluation:
        """Until it has ended. Raises TimeoutError."""
        deadline = time.monotonic() + timeout
        while True:
            found = self.evaluation(evaluation, wait=0 if progress else 20)
            if progress is not None:
                progress(found.progress)
            if found.status in FINAL:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"{evaluation} is still {found.status} after {timeout:.0f} s")
            if progress is not None:
                time.sleep(0.3)

    def cancel(self, evaluation: str) -> Evaluation:
        return Evaluation.model_validate(
            self.request("POST", f"/v1/evaluations/{evaluation}/cancel")
        )

    def samples(
        self, evaluation: str, sort: str | None = None, order: str = "asc", limit: int = 20
    ) -> list[Sample]:
        """The first `limit` samples by a score, worst (lowest) first."""
        path = f"/v1/evaluations/{evaluation}/samples"
        found = self.request("GET", path, sort=sort, order=order, limit=limit)
        return [Sample.model_validate(one) for one in found["data"]]

    def events(self, evaluation: str, after: int = 0) -> Iterator[Event]:
        """An evaluation's events as they happen, until it ends."""
        return self.events_of(f"/v1/evaluations/{evaluation}", after)

    def events_of(self, path: str, after: int = 0) -> Iterator[Event]:
        """Events of whatever is at `path`, as they happen, until it ends."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        with self._http.stream("GET", f"{path}/events", headers=headers, timeout=None) as response:
            if response.is_error:
                response.read()
                _checked(response)
            fields: dict[str, str] = {}
            for line in response.iter_lines():
                if line.startswith(":"):
                    continue
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    number = int(fields["id"]) if "id" in fields else None
                    yield Event(id=number, type=fields["event"], data=orjson.loads(fields["data"]))
                    fields = {}

    def create_dataset(
        self, name: str, records: Sequence[Mapping[str, Any]], kind: str = "eval"
    ) -> Dataset:
        body = {"name": name, "kind": kind, "records": list(records)}
        return Dataset.model_validate(self.request("POST", "/v1/datasets", body))

    def leaderboard(self, dataset: str, metric: str, **query: Any) -> Leaderboard:
        found = self.request("GET", f"/v1/leaderboards/{dataset}", metric=metric, **query)
        return Leaderboard.model_validate(found)

    def compare(
        self, a: str, b: str, metrics: Sequence[str] | None = None, **more: Any
    ) -> list[dict[str, Any]]:
        """The results of `POST /v1/comparisons`, one a score."""
        body: dict[str, Any] = {"evaluations": [a, b], **more}
        if metrics is not None:
            body["metrics"] = list(metrics)
        results: list[dict[str, Any]] = self.request("POST", "/v1/comparisons", body)["results"]
        return results

    def score(
        self, metrics: Sequence[MetricLike], samples: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Values and per-sample values, at once; nothing is stored."""
        body = {"metrics": list(metrics), "samples": list(samples)}
        scores: dict[str, Any] = self.request("POST", "/v1/score", body)["scores"]
        return scores


def _checked(response: httpx.Response) -> Any:
    if response.is_success:
        return orjson.loads(response.content)
    try:
        error = orjson.loads(response.content)["error"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        error = {"code": "unreadable_answer", "message": response.text[:500]}
    raise AssayError(
        response.status_code,
        error.get("code", "unknown"),
        error.get("message", ""),
        error.get("param"),
        response.headers.get("x-request-id"),
    )
