"""Logs with a value replaced or left out: whatever it is, they are read or refused by name."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pytest

from service.errors import ApiError
from service.imports import admission, contents, formats
from service.imports.admission import Chosen
from service.imports.views import view

FILES = Path(__file__).parent / "files"
NAMES = ["helm-0.5.16.zip", "every-eval-ever-0.3.0.zip", "lm-eval-0.4.13-0.tar.gz"]
ODD: list[Any] = [
    *(None, True, -1, 0, 1e308, 10**400, float("nan"), float("inf"), "", "x", "\x00", "\ud800"),
    *([], [1], ["x"], [[]], {}, {"x": 1}, {"name": {}}, "x" * 1000),
]
TRIES = 60


def unpacked(path: Path) -> dict[str, str]:
    """The texts of an archive by name."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = [one for one in archive.namelist() if not one.endswith("/")]
            return {name: archive.read(name).decode() for name in names}
    with tarfile.open(path) as tar:
        return {one.name: (tar.extractfile(one) or io.BytesIO()).read().decode() for one in tar}


def places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    )
    for key in keys:
        found.append((value, key))
        places(value[key], found)
    return found


def mutated(text: str, lines: bool, random: Random) -> str:
    """The text with one or two values replaced, or left out."""
    split = text.splitlines() if lines else [text]
    at = random.randrange(len(split))
    document = json.loads(split[at])
    for _ in range(random.randint(1, 2)):
        container, key = random.choice(places(document, []) or [({"": 0}, "")])
        if isinstance(container, dict) and random.random() < 0.3:
            del container[key]
        else:
            container[key] = deepcopy(random.choice(ODD))
    split[at] = json.dumps(document)
    return "\n".join(split)


@pytest.mark.parametrize("name", NAMES)
def test_a_mutated_log_is_read_or_refused(name: str) -> None:
    texts, random = unpacked(FILES / name), Random(name)
    outcomes: set[str] = set()
    for _ in range(TRIES):
        chosen = random.choice(sorted(texts))
        changed = texts | {chosen: mutated(texts[chosen], chosen.endswith("jsonl"), random)}
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for file, text in changed.items():
                archive.writestr(file, text)
        try:
            inside = contents.opened(packed, name, 10**8)
            found, _ = formats.read(inside, formats.detected(inside), None, {}, "task")
            for one in admission.prepared(found, Chosen(None, None, (), (), ())):
                shown = view(one, None)
                json.dumps(shown.model_dump(mode="json"), allow_nan=False).encode()
            outcomes.add("read")
        except ApiError as refused:
            outcomes.add(refused.code)
    assert {"read", "invalid_rows"} <= outcomes
