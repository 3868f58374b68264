"""The image's own steps, without Docker: all of ours is installed, and starts far from the source.

Dependencies are not installed again: the stand-in for the image sees those of this interpreter, but
not its editable install of ours, since a folder added by a .pth file has its .pth files unread.
"""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import httpx
import pytest

from tests.checkout import ROOT, files, folders

ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith(("ASSAY_", "PYTHON", "PIP_CONSTRAINT", "PIP_REQUIREMENT"))
}
WHERE = """
import importlib, json, sys
print(json.dumps({name: importlib.import_module(name).__file__ for name in sys.argv[1:]}))
"""


@dataclass(frozen=True)
class Image:
    """A folder that stands for the image's root, and one for its interpreter."""

    root: Path
    interpreter: Path

    @property
    def python(self) -> Path:
        return self.interpreter / "bin" / "python"

    @property
    def packages(self) -> Path:
        return next(self.interpreter.glob("lib/python*/site-packages"))

    def inside(self, folder: str) -> Path:
        return self.root / folder.lstrip("/")


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image as its Dockerfile makes it, as far as it is about our own packages."""
    top = Path(tempfile.mkdtemp(prefix="assay image "))
    top.chmod(0o755)  # the private PostgreSQL runs as another account
    try:
        made = Image(top / "root", top / "python")
        made.root.mkdir()
        venv.create(made.interpreter, with_pip=False, symlinks=True)
        seen = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
        (made.packages / "dependencies.pth").write_text("\n".join(seen))
        build(made)
        yield made
    finally:
        shutil.rmtree(top)


def build(image: Image) -> None:
    """The Dockerfile's COPY steps, and those of its pip installs that are about us."""
    installed = 0
    here = "/"
    for name, rest in instructions():
        if name == "WORKDIR":
            here = os.path.join(here, rest)
            image.inside(here).mkdir(parents=True, exist_ok=True)
        elif name == "COPY":
            *sources, target = shlex.split(rest)
            copy(sources, image.inside(os.path.join(here, target)))
        elif name == "RUN" and rest.startswith("pip install"):
            arguments = shlex.split(rest)[2:]
            if any(re.match(r"\.{0,2}/|\.($|\[)", argument) for argument in arguments):
                install(image, arguments, image.inside(here))
                installed += 1
    assert installed, "the Dockerfile installs nothing of ours"


def instructions() -> Iterator[tuple[str, str]]:
    for line in (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name.isupper():
            yield name, rest.strip()


def copy(sources: list[str], target: Path) -> None:
    """COPY: a file by its name, a folder's content."""
    for source in map(Path, sources):
        found = [path for path in context() if path.is_relative_to(source)]
        assert found, f"COPY {source}: nothing is there"
        for path in found:
            copied = target / (path.name if path == source else path.relative_to(source))
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, copied)


def context() -> list[Path]:
    """The files that .dockerignore lets through."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return [path for path in files() if not ignored(path, rules)]


def ignored(path: Path, rules: list[str]) -> bool:
    """Whether the last rule that matches the path, or a folder it is in, ignores it."""
    names = [path.as_posix(), *(folder.as_posix() for folder in path.parents)]
    last = False
    for rule in rules:
        pattern = re.compile(expression(rule.removeprefix("!").strip("/")))
        if any(pattern.fullmatch(name) for name in names):
            last = not rule.startswith("!")
    return last


def expression(rule: str) -> str:
    parts = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    split = re.split(r"(\*\*/|\*\*|\*|\?)", rule)
    return "".join(parts.get(part, re.escape(part)) for part in split)


def install(image: Image, arguments: list[str], folder: Path) -> None:
    assert int(version("setuptools").partition(".")[0]) >= 77, "pyproject.toml asks for it"
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    pip = [sys.executable, "-m", "pip", f"--python={image.python}", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "install", *offline, *arguments],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def ours() -> list[Path]:
    """The files of our packages that reach the image: all of those that git tracks are code."""
    shipped = {path.parts[0] for path in context()} & folders()
    return [path for path in context() if path.parts[0] in shipped]


def test_every_file_of_ours_is_installed(image: Image) -> None:
    missing = [str(path) for path in ours() if not (image.packages / path).is_file()]
    assert missing == []


def test_every_package_of_ours_is_imported_from_there(image: Image, tmp_path: Path) -> None:
    names = [".".join(path.parent.parts) for path in ours() if path.name == "__init__.py"]
    assert names
    done = subprocess.run(
        [image.python, "-c", WHERE, *names],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    for name, file in json.loads(done.stdout).items():
        assert Path(file).is_relative_to(image.packages), f"{name} comes from {file}"


@pytest.mark.slow
def test_what_is_installed_needs_nothing_that_is_not(image: Image) -> None:
    for path in ours():
        if path.suffix == ".py":
            for name in imported(ROOT / path) & folders():
                assert (image.packages / name).is_dir(), f"{path} imports {name}"


def imported(file: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def test_it_starts(image: Image, tmp_path: Path) -> None:
    """Migrations, API and worker, as the container's command would start them."""
    said = tmp_path / "said"
    with said.open("wb") as output:
        serve = subprocess.Popen(
            [image.interpreter / "bin" / "assay", "serve", "--port=0", "--device=cpu"],
            cwd=tmp_path,
            env=ENVIRONMENT | {"ASSAY_DATA_DIR": str(image.inside("data"))},
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + 60
        while not (address := re.search(r"listens on (http://\S+)", said.read_text())):
            assert serve.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.1)
        assert httpx.get(f"{address[1]}/readyz").status_code == 200
    finally:
        serve.terminate()
        serve.wait(60)
