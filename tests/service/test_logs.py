"""Logs carry ids and never secrets."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from service import logs
from service.settings import Settings


def entries(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


def configured() -> logging.Logger:
    """In the test, not in a fixture: only there is standard error the one that is captured."""
    logs.configure(Settings(log_format="json", log_level="INFO"))
    return logging.getLogger("assay.test")


def test_ids_follow_the_task(capsys: pytest.CaptureFixture[str]) -> None:
    log = configured()

    async def request(number: int) -> None:
        with logs.bind(request_id=f"req_{number}", evaluation_id=None):
            await asyncio.sleep(0)
            with logs.bind(evaluation_id=f"eval_{number}"):
                log.info("measured %d", number, extra={"rows": number})

    async def both() -> None:
        await asyncio.gather(request(1), request(2))

    asyncio.run(both())
    log.info("after")
    one, two, after = entries(capsys)
    for number, entry in ((1, one), (2, two)):
        assert entry["message"] == f"measured {number}"
        assert entry["request_id"] == f"req_{number}"
        assert entry["evaluation_id"] == f"eval_{number}"
        assert entry["rows"] == number
        assert entry["level"] == "info"
    assert "request_id" not in after


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://assay:hush-hush@db/assay is gone",
        "Authorization: Bearer hush-hush",
        "{'api_key': 'hush-hush', 'n': 3}",
        "password=hush-hush host=db",
    ],
)
def test_secrets_are_masked(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    log = configured()
    log.info("said: %s", text, extra={"text": text})
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed")
    written = capsys.readouterr().err
    assert "hush" not in written
    assert written.count("***") == 3
    first, second = map(json.loads, written.splitlines())
    assert first["message"].startswith("said: ")
    assert "ValueError" in second["exception"]


def test_ordinary_text_is_left_alone() -> None:
    text = "score: 0.5; http://127.0.0.1:8000/docs; 3 tokens; токен: слово; max_new_tokens=64"
    assert logs.mask(text) == text


FORGED = "/v1/x\n12:00:00 info    GET /v1/keys 200\r\x1b[2K\u2028\x85"


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_path_forges_no_line(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Settings.model_validate({"log_format": log_format, "log_level": "INFO"}))
    log = logging.getLogger("assay.test")
    log.info("GET %s 404", FORGED, extra={"again": FORGED})
    try:
        raise ValueError(FORGED)
    except ValueError:
        log.exception("failed")
    written = capsys.readouterr().err
    assert "\x1b" not in written
    lines = written.splitlines()  # at every character that some reader takes for an end
    assert not any(line.startswith("12:00:00 info    GET /v1/keys") for line in lines)
    own = [line for line in lines if not line.startswith("  | ")]
    assert len(own) == 2
    if log_format == "json":
        assert json.loads(own[0])["again"] == FORGED
    else:
        assert r"/v1/x\u000a12:00:00 info    GET /v1/keys 200\u000d\u001b" in own[0]
