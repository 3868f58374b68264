"""Every metric's docstring has an example, and the examples of its file give what they say."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

from tests.checkout import ROOT

FILES = sorted({path.stem for path in (ROOT / "metrics").glob("*.py")} - {"__init__"})


@pytest.mark.parametrize("file", FILES)
def test_the_examples_hold(file: str) -> None:
    module = import_module(f"metrics.{file}")
    examples = doctest.DocTestParser().get_examples(module.__doc__ or "")
    assert examples, f"{file} has no example"
    told: list[str] = []
    runner = doctest.DocTestRunner()
    for found in doctest.DocTestFinder().find(module):
        runner.run(found, out=told.append)
    assert runner.failures == 0, "".join(told)
    assert runner.tries >= len(examples)
