"""What a client does when answers fail: against a server that fails as planned."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest

from assay import AssayError, ConnectionFailed, Event, RequestTimedOut, retries, streams
from assay.exchange import Reply, Request
from tests.assay.blocking import client_of
from tests.assay.failing import DROPPED, Planned, Server, answering, error

MODELS = Planned(content=json.dumps({"data": [{"id": "m", "origin": "root"}]}).encode())
DATASET = Planned(
    content=b'{"id":"ds_1","name":"n","version":1,"kind":"eval","digest":"d","size":1}'
)
RECORDS = [{"id": "1", "references": ["Москва"]}]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_DELAY", 0.01)


def test_one_post_is_one_key_over_all_tries(kind: str) -> None:
    plan = error(503, retry_after="0"), DROPPED, error(429), DATASET
    with answering(*plan) as server, client_of(kind, server.url) as assay:
        assert assay.create_dataset("n", RECORDS).id == "ds_1"
        assay.create_dataset("n", RECORDS)
    *tries, second = server.headers("idempotency-key")
    assert len(tries) == 4
    assert len(set(tries)) == 1
    assert tries[0]
    assert second not in {None, *tries}
    assert len({request.content for request in server.asked}) == 1
    assert json.loads(server.asked[0].content)["records"] == RECORDS


def test_the_service_says_how_long_to_wait(kind: str) -> None:
    with (
        answering(error(503, retry_after="0.3"), MODELS) as server,
        client_of(kind, server.url) as assay,
    ):
        assert assay.models()[0].id == "m"
    first, second = server.asked
    assert 0.3 <= second.at - first.at < 2


@pytest.mark.parametrize("status", [400, 404, 409, 410, 413, 422, 500])
def test_a_refusal_is_final(kind: str, status: int) -> None:
    with (
        answering(error(status, "a_code")) as server,
        client_of(kind, server.url) as assay,
        pytest.raises(AssayError, match="some message") as refused,
    ):
        assay.create_dataset("n", RECORDS)
    assert (refused.value.status, refused.value.code) == (status, "a_code")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        error(503, x_should_retry="false"),
        error(503, retry_after="3600"),
        error(503, "timed_out"),  # the service has waited as long as it was asked to
    ],
)
def test_nothing_is_sent_again_in_vain(kind: str, refusal: Planned) -> None:
    with (
        answering(refusal) as server,
        client_of(kind, server.url) as assay,
        pytest.raises(AssayError),
    ):
        assay.models()
    assert len(server.asked) == 1


@pytest.mark.parametrize("failure", [error(503), error(502), error(504), DROPPED])
@pytest.mark.parametrize("count", [0, 2])
def test_retries_come_to_an_end(kind: str, failure: Planned, count: int) -> None:
    with (
        answering(failure) as server,
        client_of(kind, server.url, retries=count) as assay,
        pytest.raises(AssayError) as failed,
    ):
        assay.models()
    assert len(server.asked) == count + 1
    assert isinstance(failed.value, ConnectionFailed) == (failure is DROPPED)
    assert failed.value.status == (None if failure is DROPPED else failure.status)
    assert failed.value.url == f"{server.url}/v1/models"


@pytest.mark.parametrize("failure", [error(503), DROPPED])
def test_what_does_harm_twice_is_sent_once(kind: str, failure: Planned) -> None:
    with answering(failure) as server, client_of(kind, server.url) as assay:
        with pytest.raises(AssayError):
            assay.resume_training_job("job_1")
        with pytest.raises(AssayError):
            assay.request("POST", "/v1/datasets", {"name": "n"})
        assert len(server.asked) == 2
        with pytest.raises(AssayError):
            assay.request("POST", "/v1/datasets", {}, headers={"Idempotency-Key": "mine"})
    assert server.headers("idempotency-key")[2:] == ["mine"] * 4


def test_an_upload_is_read_anew(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,references\n" + "1,Москва\n" * 200_000)
    with answering(error(503), DROPPED, DATASET) as server, client_of(kind, server.url) as assay:
        assay.upload_dataset("n", file)
    assert [request.content for request in server.asked] == [file.read_bytes()] * 3
    assert len(set(server.headers("idempotency-key"))) == 1
    assert server.asked[0].path == "/v1/datasets/upload?name=n&format=csv&kind=eval"


def test_silence_is_an_error_of_its_own(kind: str) -> None:
    slow = Planned(seconds=1.0)
    with answering(slow) as server, client_of(kind, server.url, timeout=0.2) as assay:
        with pytest.raises(RequestTimedOut, match="larger timeout") as late:
            assay.models()
        assert late.value.timeout == 0.2
    assert len(server.asked) == 1


@pytest.mark.parametrize("content", [b"<html>Hello</html>", b'{"data": [{"id": 1}]}', b"", b"[]"])
def test_an_answer_of_something_else(kind: str, content: bytes) -> None:
    with (
        answering(Planned(content=content)) as server,
        client_of(kind, server.url) as assay,
        pytest.raises(AssayError, match="no answer of the service") as unread,
    ):
        assay.models()
    assert (unread.value.status, unread.value.code) == (200, "unreadable_answer")


def test_a_gateway_in_between(kind: str) -> None:
    """Its pages are not JSON: the error shows what they say."""
    page = Planned(502, "<h1>Плохой шлюз</h1>".encode())
    with (
        answering(page) as server,
        client_of(kind, server.url, retries=1) as assay,
        pytest.raises(AssayError, match="Плохой шлюз"),
    ):
        assay.models()
    assert len(server.asked) == 2


def told(*numbers: int) -> bytes:
    """Events as the service words them; a line separator is no end of a line."""
    return "".join(
        f'id: {number}\nevent: step\ndata: {{"text":"ещё\u2028{number}"}}\n\n' for number in numbers
    ).encode()


def stream(content: bytes, *, cut: bool = False, silence: float = 0.0) -> Planned:
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    return Planned(content=content, headers=headers, cut=cut, silence=silence)


def seen(kind: str, server: Server, after: int = 0, timeout: float = 60.0) -> list[Event]:
    with client_of(kind, server.url, retries=1, timeout=timeout) as assay:
        return list(assay.events("eval_1", after=after))


def test_a_broken_stream_goes_on_where_it_was(kind: str) -> None:
    """Each event once, though more connections break than one request may lose."""
    halved = stream(told(4, 5) + told(6)[:-3], cut=True)
    commented = stream(told(6) + b": still here\n\n", cut=True)
    whole = stream(b'event: progress\ndata: {"done":1}\n\n' + told(7))
    with answering(halved, commented, whole) as server:
        events = seen(kind, server, after=3)
    assert [event.id for event in events] == [4, 5, 6, None, 7]
    assert events[-1].data == {"text": "ещё\u20287"}
    assert server.headers("last-event-id") == ["3", "5", "6"]
    assert set(server.headers("accept")) == {"text/event-stream"}


def test_a_silent_stream_is_broken(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a network leaves it that forgot the connection; the service would have said something."""
    monkeypatch.setattr(streams, "SILENCE", 0.1)
    silent, rest = stream(told(1), cut=True, silence=2.0), stream(told(2))
    with answering(silent, rest) as server:
        events = seen(kind, server, timeout=0.2)
    assert [event.id for event in events] == [1, 2]
    assert 0.3 <= server.asked[1].at - server.asked[0].at < 2


@pytest.mark.parametrize(
    "answer",
    [
        Planned(content=b"<html>Hello</html>", headers={"content-type": "text/html"}),
        stream(b"event: step\ndata: {\n\n"),
        stream(b"event: step\n\n"),
        stream(b"event: step\nid: x\ndata: {}\n\n"),
        stream(b"event: step\ndata: []\n\n"),
    ],
)
def test_a_stream_of_something_else(kind: str, answer: Planned) -> None:
    with answering(answer) as server, pytest.raises(AssayError, match="no event stream") as unread:
        seen(kind, server)
    assert unread.value.code == "unreadable_answer"
    assert unread.value.url == f"{server.url}/v1/evaluations/eval_1/events"
    assert len(server.asked) == 1


@pytest.mark.parametrize("failure", [error(503), DROPPED, stream(b"id: 1\n", cut=True)])
def test_a_stream_without_progress_ends(kind: str, failure: Planned) -> None:
    with answering(failure) as server, pytest.raises(AssayError):
        seen(kind, server)
    assert len(server.asked) == 2


def test_a_broken_download_begins_anew(kind: str, tmp_path: Path) -> None:
    tar = archive({"ckpt/config.json": b"{}", "ckpt/model.safetensors": bytes(300_000)})
    broken = Planned(content=tar[:200_000], cut=True)
    folder = tmp_path / "new" / "model"
    with (
        answering(broken, Planned(content=tar)) as server,
        client_of(kind, server.url) as assay,
    ):
        assert assay.download_checkpoint("ckpt_1", folder) == folder
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == {
        "config.json": 2,
        "model.safetensors": 300_000,
    }
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize(
    "failure", [DROPPED, error(404), Planned(content=b"no tar" * 200), Planned(content=b"")]
)
def test_a_failed_download_leaves_nothing(kind: str, failure: Planned, tmp_path: Path) -> None:
    with answering(failure) as server, client_of(kind, server.url, retries=0) as assay:
        with pytest.raises(AssayError):
            assay.download_checkpoint("ckpt_1", tmp_path / "model")
        assert list(tmp_path.iterdir()) == []
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "mine").touch()
        with pytest.raises(FileExistsError):
            assay.download_checkpoint("ckpt_1", tmp_path / "model")
    assert len(server.asked) == 1


def archive(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def test_delays_double_and_vary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_DELAY", 0.5)
    attempts = retries.Attempts(6)
    refused = httpx.ConnectError("refused", request=httpx.Request("GET", "http://x"))
    delays = [attempts.after(Request("GET", "/"), refused) for _ in range(6)]
    for delay, longest in zip(delays, [0.5, 1, 2, 4, 8, 8], strict=True):
        assert 0.75 * longest <= delay <= longest
    with pytest.raises(ConnectionFailed):
        attempts.after(Request("GET", "/"), refused)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("2", (2.0, 2.0)),
        ("-1", (0.0, 0.0)),
        ("Wed, 21 Oct 2015 07:28:00 GMT", (0.0, 0.0)),
        ("soon", (0.0, 0.01)),
        ("nan", (0.0, 0.01)),
    ],
)
def test_forms_of_retry_after(header: str, seconds: tuple[float, float]) -> None:
    assert seconds[0] <= delay_after(header) <= seconds[1]


def test_a_date_to_retry_after() -> None:
    then = datetime.now(UTC) + timedelta(seconds=40)
    assert 20 < delay_after(format_datetime(then, usegmt=True)) <= 40


def delay_after(header: str) -> float:
    reply = Reply("GET", "http://x", 503, {"retry-after": header}, b"")
    return retries.Attempts(1).after(Request("GET", "/", repeatable=True), reply)
