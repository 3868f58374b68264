"""Settings as the environment gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.settings import Settings


@pytest.mark.parametrize("written", ["/a:/b", "/a,/b", '["/a", "/b"]'])
def test_lists_of_folders(written: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_MODEL_ROOTS", written)
    assert Settings().model_roots == (Path("/a"), Path("/b"))


def test_a_broken_list_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_MODEL_ROOTS", '["/a",')
    with pytest.raises(ValueError, match=r"model_roots\n"):
        Settings()
