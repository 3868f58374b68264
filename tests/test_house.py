"""Rules of the house that no other tool checks."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkout import ROOT, files, folders

BINARY = {".safetensors", ".png", ".zip", ".gz", ".xz", ".eval"}
PACKAGES = sorted(folders() - {"tests", "benchmarks", "chaos", "demo", "migrations"})
Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
HEAVY = (
    "torch",
    "transformers",
    "sklearn",
    "scipy",
    "pandas",
    "datasets",
    "evaluate",
    "mauve",
    "matplotlib",
)
OF_FEW_REQUESTS = ("alembic", "httpcore", "httpx", "mako", "nltk", "pygments", "rich")


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
    found = imported(statement)
    assert found.isdisjoint(HEAVY)
    if "create_app" in statement:
        assert found.isdisjoint(OF_FEW_REQUESTS)


def test_the_command_line_imports_late() -> None:
    heavy = {"fastapi", "sqlalchemy", "psycopg", "numpy", "pydantic", "uvicorn", *HEAVY}
    assert imported("import service.cli").isdisjoint(heavy)


def sources(*suffixes: str) -> list[Path]:
    return [path for path in files() if path.suffix in suffixes]


def test_the_packages_are_those_that_are_installed_and_linted() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    assert set(PACKAGES) == set(project["importlinter"]["root_packages"])
    installed = {name.rstrip("*") for name in project["setuptools"]["packages"]["find"]["include"]}
    assert {*PACKAGES, "migrations"} == installed


def test_nothing_is_pickled() -> None:
    uses = re.compile(r"^\s*(import pickle|from pickle|import dill|import joblib)", re.MULTILINE)
    for path in sources(".py"):
        assert not uses.search((ROOT / path).read_text()), path


def test_there_is_no_drawer_for_odds_and_ends() -> None:
    names = {"utils", "util", "helpers", "misc", "common"}
    assert [path for path in sources(".py") if path.stem in names] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_files_hold_one_thing(package: str) -> None:
    lines = {
        str(path): len((ROOT / path).read_text().splitlines())
        for path in sources(".py")
        if path.parts[0] == package
    }
    assert {path: count for path, count in lines.items() if count > 330} == {}


def test_no_index_address_and_no_path_of_one_machine() -> None:
    address = re.compile("|".join(["pypi" + r"\.org", "python" + "hosted", "index" + "-url"]))
    machine = re.compile("/" + r"(?:root|home|Users)/\w+/")
    for path in files():
        if path.suffix in BINARY or path.name == "LICENSE":
            continue
        text = (ROOT / path).read_text()
        assert not address.search(text), path
        assert not machine.search(text), path


def test_every_direct_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        listed += extra
    pinned = {
        normal(line.partition("==")[0])
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and not line.startswith("#")
    }
    wanted = {normal(re.split(r"[\[<>=!~ ]", name)[0]) for name in listed}
    assert wanted - pinned == set()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("package", PACKAGES)
def test_what_is_public_is_documented(package: str) -> None:
    bare = [
        f"{path}:{node.lineno} {node.name}"
        for path in sources(".py")
        if path.parts[0] == package
        for node in public(ast.parse((ROOT / path).read_text()))
        if ast.get_docstring(node) is None
    ]
    assert bare == []


def public(tree: ast.Module | ast.ClassDef) -> Iterator[Named]:
    """Functions, classes and methods whose names do not begin with an underscore."""
    for node in tree.body:
        if isinstance(node, Named) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node)
