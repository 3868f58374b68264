"""The Python blocks of docs/client.md run in their order, and print what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.service.live import Live

PAGE = ROOT / "docs" / "client.md"
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)


@pytest.mark.slow
def test_the_page_runs(
    live: Live,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Against a service at another address, with a smaller model."""
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text().replace("http://127.0.0.1:8000", live.base)
    page = page.replace("builtin/smollm2-135m-instruct", "tiny-language")
    names: dict[str, object] = {"__name__": "client"}
    blocks = list(BLOCK.finditer(page))
    assert len(blocks) == page.count("```python")
    for block in blocks:
        source, printed = block.groups()
        lines_before = page[: block.start(1)].count("\n")  # so that a traceback names the line
        code = compile("\n" * lines_before + source, str(PAGE), "exec")
        exec(code, names)  # noqa: S102 - the page is ours
        assert capsys.readouterr().out == (printed or ""), source


def test_every_text_is_checked() -> None:
    """A `text` block stands behind the code that prints it, or nobody would compare them."""
    page = PAGE.read_text()
    assert page.count("```text") == sum(block[2] is not None for block in BLOCK.finditer(page))
