"""What training processes print: bounded, without secrets, harmless to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.errors import ApiError
from service.training import output
from service.training.output import log_file, plain, tail, trim
from service.training.routes import get_training_logs


def test_what_is_shown_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "correct-horse")
    bar = "".join(f"\r{percent}% done" for percent in (10, 50, 100))
    text = (
        f"a\tb\r\n{bar}\n\x1b[31mred\x1b[0m \x1b]0;title\x07end \x07\u202etxt.exe\n"
        "postgresql://me:hunter2@db/x token=abc12345 hf_abcdefghijklmnopqrst it is correct-horse\n"
        "Привет 🙂"
    )
    shown = plain(text)
    assert shown.split("\n")[:3] == ["a\tb", "100% done", "red end \ufffd\ufffdtxt.exe"]
    for secret in ("hunter2", "abc12345", "hf_", "correct-horse"):
        assert secret not in shown
    assert shown.endswith("Привет 🙂")


def test_a_file_is_kept_short_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "MOST", 1000)
    path = tmp_path / "log.txt"
    with path.open("ab", buffering=0) as writer:  # as the training process has it
        for line in range(300):
            writer.write(f"line {line}\n".encode())
        trim(path)
        writer.write(b"the end\n")
    lines = path.read_text().splitlines()
    assert path.stat().st_size < 600
    assert lines[0] == "(earlier output was dropped)"
    assert lines[-2:] == ["line 299", "the end"]
    assert all(line.startswith("line ") for line in lines[1:-1])
    trim(path)
    assert path.read_text().splitlines() == lines


@pytest.mark.timeout(30)
def test_the_end_is_shown_and_no_half_of_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"x" * 100_000 + "я".encode() * 50 + b" password=geheimnis!\xff")
    text, truncated = tail(path, 40)
    assert (len(text), truncated) == (40, True)
    assert text.endswith("я password=***")
    assert tail(path, 500_000)[1] is False
    assert tail(path, 5)[0] == "d=***"
    path.write_bytes(b"a://b:" * 20_000)
    assert tail(path, 65_536)[1] is True  # in time
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError, match="symbolic"):
        tail(link, 40)


def test_logs_of_an_attempt(new_job: Any) -> None:
    job = new_job()
    settings = job.context.settings
    with job.context.engine.begin() as db:
        assert get_training_logs(job.id, db, settings).text is None
    for number in (1, 2):
        job.begin()
        log_file(settings, job.id, number).write_text(f"attempt {number}")
    with job.context.engine.begin() as db:
        assert get_training_logs(job.id, db, settings).text == "attempt 2"
        first = get_training_logs(job.id, db, settings, attempt=1, limit=1)
        assert (first.attempt, first.text, first.truncated) == (1, "1", True)
        with pytest.raises(ApiError, match="attempt"):
            get_training_logs(job.id, db, settings, attempt=3)
