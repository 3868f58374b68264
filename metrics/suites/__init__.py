"""Suites: what a task is measured by, as a declared list of metrics. Each `*.toml` here is one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from metrics.suites.declaration import Suite


@cache
def suites() -> Mapping[str, Suite]:
    """Every suite that comes with the project, by name."""
    found = [one for one in files(__package__).iterdir() if one.name.endswith(".toml")]
    texts = (one.read_text("utf-8") for one in sorted(found, key=lambda one: one.name))
    declared = [Suite.model_validate(tomllib.loads(text)) for text in texts]
    return {suite.name: suite for suite in declared}
