"""Lines of reports, whole or torn."""

from __future__ import annotations

from pathlib import Path

from trainers.job.reports import Reader, Report, Reporter


def test_a_torn_report_is_read_by_nobody(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reporter = Reporter(path)
    reporter.send(Report(type="event", name="one"))
    with path.open("ab") as file:
        file.write(b'{"type": "ser')  # what a full disk leaves
    reader = Reader(path)
    assert [report.name for report in reader] == ["one"]
    assert list(reader) == []
    reporter._torn = True
    reporter.send(Report(type="event", name="two"))
    assert [report.name for report in reader] == ["two"]
