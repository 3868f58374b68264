"""Lines of lm-evaluation-harness: an import and `assay score` read the same in them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest

from inference.errors import InputError
from service.imports import contents
from service.imports import lm_eval as imported
from service.score_file import lm_eval as scored

LINES: list[dict[str, Any]] = [
    {"resps": [["a", "b"]], "doc": {"question": "Who?", "topic": "x"}, "target": "c"},
    {"resps": [["a"]], "arguments": [["Q", {"until": []}]], "target": ["c", 1]},
    {
        "resps": [[[-2.0, False]], [["-1.5", True]]],
        "arguments": {"gen_args_0": {"arg_0": "Q", "arg_1": " no"}, "1": ["Q", " yes"]},
        "target": "1",
    },
    {"resps": [[10**400], [-1.0]], "arguments": [["Q", "no"], ["Q", "yes"]]},
]


@pytest.mark.parametrize("line", LINES)
def test_an_import_and_a_score_read_the_same(line: dict[str, Any]) -> None:
    line = {"doc_id": 3, "filter": "none", "metrics": ["acc"], "acc": 1, **line}
    line["filtered_resps"] = line["resps"]
    inside = contents.opened(io.BytesIO(json.dumps(line).encode()), "samples_x.jsonl", 10_000)
    (run,) = imported.read(inside, "s")
    (sample,) = run.samples
    if not sample.outputs:
        with pytest.raises(InputError, match="f:1: resps: no text"):
            list(scored.records([(1, line)], "f", None))
        return
    ((_, fields),) = scored.records([(1, line)], "f", None)
    assert list(scored.records([(1, line)], "f", "none")) == [(1, fields)]
    found = sample.record() | {"outputs": sample.outputs}
    assert {name: value for name, value in fields.items() if value != {}} == found


def test_a_file_is_scored_without_a_web_framework() -> None:
    code = "import sys, service.score_file.reading; sys.exit('fastapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
