"""Where `assay score` keeps models that it converts."""

from pathlib import Path

import pytest

import metrics
from service.score_file.running import runner
from service.settings import Settings


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Of a user who has set nothing."""
    monkeypatch.delenv("ASSAY_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return Settings()


def kept(settings: Settings, metric: str = "perplexity", convert: bool = True) -> list[str]:
    """What a run says that converts a model."""
    said: list[str] = []
    with runner([metrics.find(metric).bind()], settings, "cpu", said.append) as found:
        if convert:
            found.models.cache_dir.mkdir(parents=True, exist_ok=True)
    return said


def test_they_are_the_users_and_it_is_said_once(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "assay"
    assert kept(settings) == [f"converted models are kept in {folder / 'models'}"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert kept(settings) == []


def test_without_a_model_nothing_is_made(settings: Settings, tmp_path: Path) -> None:
    kept(settings, "chrf", convert=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("named", ["", "relative/folder"])
def test_the_home_folder_unless_another_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str
) -> None:
    """A path that is not absolute is passed over, as the XDG specification has it."""
    monkeypatch.setenv("XDG_CACHE_HOME", named)
    (said,) = kept(settings)
    assert said.endswith(str(tmp_path / "home" / ".cache" / "assay" / "models"))


def test_a_data_folder_that_is_set_wins(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ASSAY_DATA_DIR", str(tmp_path / "data"))
    kept(Settings())
    assert (tmp_path / "data" / "models").is_dir()
    assert not (tmp_path / "cache").exists()


def test_where_nothing_can_be_kept_it_goes_with_the_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert kept(settings) == []
