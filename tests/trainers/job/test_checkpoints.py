from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from trainers.job.checkpoints import (
    COMPLETE,
    complete,
    is_complete,
    lacking,
    marker,
    processes_of,
    remove_incomplete,
)


def make(attempt: Path, step: int, mark: bool = True) -> Path:
    folder = attempt / f"checkpoint-{step}"
    (folder / "inner").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights %d" % step)
    (folder / "inner" / "more.txt").write_text("more")
    for name in ("trainer_state.json", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (folder / name).write_text(name)
    if mark:
        complete(folder, step)
    return folder


def test_a_marked_checkpoint_says_what_it_holds(tmp_path: Path) -> None:
    folder = make(tmp_path, 7)
    found = marker(folder)
    assert found is not None
    assert (found.step, found.files["inner/more.txt"]) == (7, 4)
    inner = hashlib.sha256(b"weights 7").hexdigest()
    assert found.digest == hashlib.sha256(f"model.safetensors {inner}\n".encode()).hexdigest()
    assert complete(folder, 7) == found.digest  # again: the marker is not among the files
    assert marker(folder) == found
    assert sorted(path.name for path in folder.glob(f"{COMPLETE}*")) == [COMPLETE]


def test_what_is_broken_in_any_way_is_not_complete(tmp_path: Path) -> None:
    assert not is_complete(make(tmp_path, 1, mark=False))
    assert not is_complete(tmp_path / "nothing")
    cut, gone, garbled = (make(tmp_path, step) for step in (2, 3, 4))
    (cut / "model.safetensors").write_bytes(b"weig")
    (gone / "inner" / "more.txt").unlink()
    (garbled / COMPLETE).write_text('{"step": 4')
    assert not any(map(is_complete, (cut, gone, garbled)))


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "trainer_state.json"])
def test_what_training_cannot_go_on_from_is_named(tmp_path: Path, name: str) -> None:
    folder = make(tmp_path, 1)
    assert lacking(folder) == []
    (folder / name).unlink()
    (folder / COMPLETE).unlink()
    assert lacking(folder) == [COMPLETE]
    complete(folder, 1)  # a model, complete; but not to train on
    assert lacking(folder) == [name]


def test_random_states_are_of_all_processes_that_wrote_it(tmp_path: Path) -> None:
    folder = make(tmp_path, 1)
    assert processes_of(folder) == 1
    (folder / "rng_state.pth").rename(folder / "rng_state_0.pth")
    (folder / "rng_state_1.pth").write_text("")
    complete(folder, 1)
    assert processes_of(folder) == 2
    assert lacking(folder) == []
    (folder / "rng_state_0.pth").unlink()
    complete(folder, 1)
    assert processes_of(folder) == 0
    assert lacking(folder) == ["the random states of its processes"]


def test_half_written_ones_are_removed(tmp_path: Path) -> None:
    whole = make(tmp_path, 5)
    make(tmp_path, 6, mark=False)
    assert remove_incomplete(tmp_path) == ["checkpoint-6"]
    assert list(tmp_path.iterdir()) == [whole]
    assert json.loads((whole / COMPLETE).read_text())["step"] == 5
