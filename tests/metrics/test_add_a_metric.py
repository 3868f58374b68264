"""docs/add-a-metric.md, followed: a metric from outside, no other file touched."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from metrics import GROUP
from tests.distributions import Site

PAGE = Path(__file__).parents[2] / "docs" / "add-a-metric.md"


def blocks(language: str) -> list[str]:
    """The page's blocks of code in that language, in order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path / "site", monkeypatch)


@pytest.fixture
def as_the_page_says(site: Site) -> Path:
    """The folder with the page's metric in it; returns the file of the page's test."""
    (snippet,) = blocks("toml")
    points = tomllib.loads(snippet)["project"]["entry-points"][GROUP]
    site.install("assay-contains", GROUP, points)
    ((_, target),) = points.items()
    module, _, _ = target.partition(":")
    declaration, test = blocks("python")
    (site.folder / f"{module}.py").write_text(declaration)
    file = site.folder / f"test_{module}.py"
    file.write_text(test)
    return file


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.usefixtures("as_the_page_says")
def test_it_is_listed_described_and_scored_without_torch() -> None:
    code = """
import sys
from metrics import catalogue, find
from metrics.core.metric import Sample
from metrics.core.run import score
from service.catalogue.metrics import describe
metric = find("contains")
samples = [Sample("1", ("Это Париж.", "Лион"), ("париж",)), Sample("2", ("Rome",), ("Rome",))]
(result,) = score(samples, [metric.bind()])
shown = describe(catalogue()["contains"])
print(result.scores[0].value, result.scores[0].signature)
print(shown.needs, shown.params["properties"]["ignore_case"]["description"])
print(shown.conventions.splitlines()[0])
print("bleu" in catalogue(), "torch" in sys.modules)
"""
    done = run("-c", code)
    assert done.stdout.splitlines() == [
        "0.75 contains|version:1|ignore_case:true",
        "['references'] both are case folded first",
        "Contains: does the output hold what a reference says, word for word?",
        "True False",
    ], done.stderr


def test_its_own_test_passes(as_the_page_says: Path) -> None:
    done = run("-m", "pytest", "-q", "-p", "no:cacheprovider", str(as_the_page_says))
    assert "6 passed" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("metrics.bleu:METRIC", "declares a metric 'bleu', and there is one"),
        ("metrics.bleu:NEED_A_NETWORK", "names tuple, not a Metric"),
        ("nowhere:METRIC", "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_had_names_its_distribution(site: Site, target: str, message: str) -> None:
    site.install("another-one", GROUP, {"bleu": target})
    done = run("-c", "import metrics; metrics.catalogue()")
    assert done.returncode == 1
    last = done.stderr.strip().split("\n")[-1]
    assert last.startswith("metrics.core.errors.MetricError")
    assert message in last
    assert "'another-one'" in last
