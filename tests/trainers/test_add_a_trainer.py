"""docs/add-a-trainer.md, followed: a trainer from outside, no other file touched."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.distributions import Site
from tests.trainers.job.attempts import attempt, finish, losses, saved
from trainers import GROUP
from trainers.job.checkpoints import lacking

PAGE = Path(__file__).parents[2] / "docs" / "add-a-trainer.md"
RECORDS = [{"prompt": f"{n} + {n}?", "completion": f"It is {2 * n}."} for n in range(8)]


def block(language: str) -> str:
    """The page's one block of code in that language."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return str(code)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path / "site", monkeypatch)


@pytest.fixture
def as_the_page_says(site: Site) -> None:
    points = tomllib.loads(block("toml"))["project"]["entry-points"][GROUP]
    site.install("assay-smoothed", GROUP, points)
    ((_, target),) = points.items()
    module, _, _ = target.partition(":")
    (site.folder / f"{module}.py").write_text(block("python"))


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("as_the_page_says")
def test_it_is_in_the_catalogue_and_loads_no_torch() -> None:
    done = run(
        "import sys, trainers\n"
        "trainer = trainers.find('smoothed_sft')\n"
        "schema = trainer.options.model_json_schema()['properties']\n"
        "print(schema['epsilon']['description'], 'torch' in sys.modules)"
    )
    assert done.stdout.split("\n") == ["ε, what all tokens share; 0: SFT. False", ""], done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("as_the_page_says")
def test_a_job_trains_with_it_and_goes_on(tmp_path: Path, tiny_language_model: Path) -> None:
    options = {"max_steps": 6, "save_steps": 3, "learning_rate": 3e-3, "max_length": 64}
    job = tmp_path / "job"
    told = finish(attempt(job, "smoothed_sft", tiny_language_model, RECORDS, options))
    assert told[-1].type == "finished", told[-1]
    curve = losses(told)
    assert list(curve) == [1, 2, 3, 4, 5, 6]
    assert curve[6] < curve[1]
    folders = saved(told)
    assert [lacking(folders[step]) for step in (3, 6)] == [[], []]
    again = attempt(job, "smoothed_sft", tiny_language_model, [], options, 2, resume=folders[3])
    assert losses(finish(again)) == {step: curve[step] for step in (4, 5, 6)}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("trainers.sft:TRAINER", "declares a trainer 'sft', and there is one"),
        ("trainers.sft:IGNORED", "names int, not a Trainer"),
        ("nowhere:TRAINER", "cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_what_cannot_be_had_names_its_distribution(site: Site, target: str, message: str) -> None:
    site.install("another-one", GROUP, {"sft": target})
    done = run("import trainers; trainers.catalogue()")
    assert done.returncode == 1
    last = done.stderr.strip().split("\n")[-1]
    assert last.startswith("trainers.job.errors.TrainerError")
    assert message in last
    assert "'another-one'" in last
