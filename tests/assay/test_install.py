"""What `pip install` of this project alone installs is enough for the client, and no more."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import venv
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.checkout import ROOT
from tests.service.live import Live
from tests.test_house import normal

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
USE = """
import sys
from assay import Client
samples = [{"id": "1", "output": "Paris", "references": ["Paris"]}]
with Client(sys.argv[1]) as assay:
    print(assay.score("exact_match", samples)["exact_match"].value)
    made = assay.evaluate(system="light", dataset="light", samples=samples, metrics="length")
    print(assay.wait(made.id).status)
"""


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that sees our packages, and of others what ours require without an extra."""
    folder: Path = tmp_path_factory.mktemp("light")
    venv.create(folder, with_pip=False, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for name in sorted(closure(PROJECT["dependencies"])):
        there = distribution(name)
        for part in {path.parts[0] for path in there.files or []} - {"..", "__pycache__"}:
            (packages / part).symlink_to(Path(str(there.locate_file(part))))
    for pattern in ("assay", "inference", "metrics", "service", "trainers"):
        (packages / pattern).symlink_to(ROOT / pattern, target_is_directory=True)
    return folder / "bin" / "python"


def closure(requirements: list[str]) -> set[str]:
    """The distributions that these requirements bring along, as they are installed here."""
    found: set[str] = set()
    waiting = [Requirement(one) for one in requirements]
    while waiting:
        one = waiting.pop()
        if normal(one.name) in found or (one.marker and not one.marker.evaluate({"extra": ""})):
            continue
        found.add(normal(one.name))
        waiting += [Requirement(text) for text in distribution(one.name).requires or []]
    return found


def ran(python: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [python, "-c", code, *arguments],
        env=clean,
        cwd=python.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_client_works_with_nothing_else(light: Path, live: Live) -> None:
    assert sorted(PROJECT["dependencies"]) == ["httpx", "pydantic"]
    done = ran(light, USE, live.base)
    assert done.stdout.split() == ["1.0", "succeeded"], done.stderr


def test_the_command_says_what_to_install(light: Path) -> None:
    module, function = PROJECT["scripts"]["assay"].split(":")
    done = ran(light, f"from {module} import {function}; {function}()", "--help")
    assert done.returncode == 1
    assert "pip install '.[service]' in the checkout" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_works_where_all_is_installed() -> None:
    module, function = PROJECT["scripts"]["assay"].split(":")
    done = subprocess.run(
        [sys.executable, "-c", f"from {module} import {function}; {function}()", "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.startswith("assay ")


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile"])
def test_what_runs_the_service_is_installed_with_the_extra(name: str) -> None:
    lines = (ROOT / name).read_text().splitlines()
    extras = [re.search(r"'\.\[(.*)\]'", line) for line in lines if "'.[" in line]
    assert extras
    assert all(found and "service" in found[1].split(",") for found in extras)
