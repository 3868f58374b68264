"""A request loads no library that it does not need."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.memory import LEXICAL
from tests.checkout import ROOT

HEAVY = ("torch", "transformers", "tokenizers", "sklearn", "scipy", "pandas", "faiss", "nltk")
NLTK = {"meteor"}  # its stemmer is NLTK's, which loads what of these is installed

CODE = f"""
import json, sys
from metrics import catalogue
from metrics.core.metric import Sample
from metrics.core.run import prepare, score

catalogue()
text = "Where the cat sat all day, on the mat. It was 12."
samples = [Sample(str(at), (text,), (text,), prompt=text) for at in range(3)]
loaded = {{}}
for name in json.loads(sys.argv[1]):
    before = set(sys.modules)
    metric = prepare(catalogue()[name].bind(), samples)
    score(samples, [metric])
    loaded[name] = sorted(set({HEAVY!r}) & (set(sys.modules) - before))
print(json.dumps(loaded))
"""


def test_metrics_of_texts_load_no_library_of_models() -> None:
    names = [name for name in LEXICAL if name not in NLTK]
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(names)],
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    loaded = json.loads(done.stdout)
    assert list(loaded) == names
    assert {name: found for name, found in loaded.items() if found} == {}
