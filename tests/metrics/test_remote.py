"""Values of a real server: as it gives them, and as it fails to."""

from __future__ import annotations

import pytest

import metrics.remote
from inference.errors import InputError, ReportedError
from inference.protocol import NoModels
from metrics.core.metric import Sample
from metrics.core.run import score
from metrics.remote import METRIC
from tests.valuing_server import valuing

SAMPLES = [Sample(str(at), ("x" * at,), ("r",), "p") for at in range(6)]


class Here(NoModels):
    """No models; URLs may lead to this machine."""

    private_urls = True


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics.remote, "FIRST_PAUSE_S", 0.001)


def test_values_in_batches_and_missing_ones() -> None:
    with valuing() as server:
        (result,) = score(SAMPLES, [METRIC.bind({"url": server.url, "batch": 4})], Here())
    assert result.scores[0].value == pytest.approx(3)
    assert result.scores[0].missing == 1
    assert [len(one["samples"]) for one in server.requests] == [4, 2]
    assert server.requests[0]["samples"][1] == {"output": "x", "prompt": "p", "references": ["r"]}


def test_busy_and_broken_servers_are_asked_again() -> None:
    with valuing() as server:
        server.first = [(429, b"later"), (503, b"<html>")]
        (result,) = score(SAMPLES, [METRIC.bind({"url": server.url})], Here())
    assert result.scores[0].value == pytest.approx(3)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((400, b"no"), "it answered 400"),
        ((302, b""), "it answered 302"),
        ((200, b"<html>"), 'is not {"values"'),
        ((200, b'{"values": [1]}'), "1 values for 6"),
        ((200, b'{"values": [1, 2, 3, 4, 5, NaN]}'), "values[5]"),
        ((200, b'{"values": [1, 2, 3, 4, 5, true]}'), "values[5]"),
        ((200, b'{"values": [1, 2, 3, 4, 5, 99]}'), "outside"),
        ((200, b"[" * 100_000), "is not"),
    ],
)
def test_what_is_no_answer_fails_the_metric(answer: tuple[int, bytes], said: str) -> None:
    def always(body: object) -> tuple[int, bytes]:
        return answer

    with valuing(always) as server:
        (result,) = score(SAMPLES, [METRIC.bind({"url": server.url, "high": 9})], Here())
        assert len(server.requests) == 1
    assert result.scores[0].value is None
    assert said in (result.scores[0].error or "")


def test_private_addresses_are_refused_where_they_may_not_be_called() -> None:
    with valuing() as server, pytest.raises(ReportedError) as refused:
        METRIC.bind({"url": server.url}).measure([], NoModels())
    assert refused.value.code == "address_refused"
    assert server.requests == []


def test_urls_are_checked_when_they_are_given() -> None:
    for url in ("ftp://x.org", "http://", "http://user:pw@x.org", "http://169.254.169.254/latest"):
        with pytest.raises(InputError) as refused:
            METRIC.bind({"url": url})
        assert refused.value.field == "params.url"
