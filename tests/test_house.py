"""Rules of the house that no other tool checks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("metrics", "service", "migrations", "tests", "benchmarks", "demo", "docs")
HEAVY = ("torch", "transformers", "sklearn", "scipy", "pandas", "datasets", "evaluate", "mauve")


def imported(statement: str) -> set[str]:
    """Top-level modules that are there after `statement`, in a fresh interpreter."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ | {"ASSAY_DATABASE_URL": "postgresql://nobody@localhost/none"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "from service.app import create_app; create_app()",
        "import service.serve.api",
        "import service.serve.supervisor",
        "import service.jobs.worker",
        "import metrics; metrics.catalogue()",
    ],
)
def test_no_model_library_is_imported(statement: str) -> None:
    assert imported(statement).isdisjoint(HEAVY)


def test_the_command_line_imports_late() -> None:
    heavy = {"fastapi", "sqlalchemy", "psycopg", "numpy", "pydantic", "uvicorn", *HEAVY}
    assert imported("import service.cli").isdisjoint(heavy)


def sources(*patterns: str) -> list[Path]:
    return [path for top in OURS for pattern in patterns for path in (ROOT / top).rglob(pattern)]


def test_nothing_is_pickled() -> None:
    uses = re.compile(r"^\s*(import pickle|from pickle|import dill|import joblib)", re.MULTILINE)
    for path in sources("*.py"):
        assert not uses.search(path.read_text()), path


def test_there_is_no_drawer_for_odds_and_ends() -> None:
    names = {"utils", "util", "helpers", "misc", "common"}
    assert [path for path in sources("*.py") if path.stem in names] == []


def test_no_index_address_and_no_path_of_one_machine() -> None:
    address = re.compile("|".join(["pypi" + r"\.org", "python" + "hosted", "index" + "-url"]))
    machine = re.compile("/" + r"(?:root|home|Users)/\w+/")
    top = [path for path in ROOT.iterdir() if path.is_file() and path.name != ".git"]
    for path in [*top, *sources("*.py", "*.md", "*.toml", "*.yml"), ROOT / ".ci" / "run"]:
        text = path.read_text()
        assert not address.search(text), path
        assert not machine.search(text), path


def test_every_direct_dependency_is_pinned() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [*project["dependencies"]]
    for extra in ("demo", "dev"):
        listed += project["optional-dependencies"][extra]
    pinned = {
        normal(line.partition("==")[0])
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    }
    wanted = {normal(re.split(r"[\[<>=!~ ]", name)[0]) for name in listed}
    assert wanted - pinned == set()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
