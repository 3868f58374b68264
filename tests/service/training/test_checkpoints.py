"""Checkpoints over HTTP: the card, the files to take away, and what is refused."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from assay import Client
from inference.pool import ModelPool
from service.db.engine import connect
from tests.rounding import assert_same
from tests.service.live import Live
from tests.service.training.requests import QUICK, finished, scored, start

TEXTS = ["Hello, number 3!", "Здравствуй, номер 3!"]
KEPT_OUT = ("optimizer", "scheduler", "rng_state", ".pt", ".pth", ".bin", "trainer_state")


@pytest.fixture(scope="module")
def engine(database_url: str) -> Iterator[Engine]:
    made = connect(database_url)
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def adapter(assay: Client) -> str:
    """The last checkpoint of a LoRA run, scored."""
    options = QUICK | {"max_steps": 2, "lora": {"r": 4}, "learning_rate": 1e-2}
    job = start(assay, "sft", options=options)
    assert finished(assay, job)["status"] == "succeeded"
    return str(scored(assay, job)[-1]["id"])


@pytest.fixture(scope="module")
def full(assay: Client) -> str:
    job = start(assay, "sft", options=QUICK | {"max_steps": 2}, evaluation=None)
    assert finished(assay, job)["status"] == "succeeded"
    return str(assay.request("GET", f"/v1/training_jobs/{job}/checkpoints")["data"][-1]["id"])


def test_the_card_says_what_it_was_made_with(assay: Client, adapter: str) -> None:
    found = assay.request("GET", f"/v1/checkpoints/{adapter}")
    assert (found["form"], found["step"], found["deleted"]) == ("adapter", 2, False)
    card = found["card"]
    assert card["method"] == "sft"
    assert card["dataset"] == "train-sft@1"
    assert card["base"] == "tiny-language"
    assert card["seed"] == 0
    assert card["options"]["lora"]["r"] == 4
    assert {"torch", "transformers", "peft"} <= set(card["libraries"])
    chrf = next(one for one in found["scores"] if one["name"] == "chrf")
    assert chrf["interval"][0] <= chrf["value"] <= chrf["interval"][1]
    assert chrf["difference"] is not None


def test_an_adapter_is_taken_away_as_it_is(live: Live, adapter: str, tmp_path: Path) -> None:
    folder = unpacked(download(live, adapter, "adapter"), tmp_path)
    names = {path.name for path in folder.iterdir()}
    assert {"adapter_model.safetensors", "adapter_config.json", "card.json", "README.md"} <= names
    assert "tokenizer.json" in names
    assert not [name for name in names if any(odd in name for odd in KEPT_OUT)]
    card = json.loads((folder / "card.json").read_text())
    assert card["checkpoint"] == adapter
    assert {one["name"] for one in card["scores"]} == {"chrf", "length"}
    assert "| chrf |" in (folder / "README.md").read_text()


def test_the_merged_model_is_the_one_that_was_scored(
    live: Live, adapter: str, models_root: Path, data_dir: Path, engine: Engine, tmp_path: Path
) -> None:
    folder = unpacked(download(live, adapter, "merged"), tmp_path)
    assert not (folder / "adapter_config.json").exists()
    assert not json.loads((folder / "card.json").read_text())["adapter"]
    places = {adapter: data_dir / place(engine, adapter)}
    pool = ModelPool([models_root], data_dir / "models", checkpoints=places.get)
    ours = logits_of(pool.language(adapter).model, folder)  # type: ignore[attr-defined]
    start = logits_of(pool.language("tiny-language").model, folder)  # type: ignore[attr-defined]
    theirs = logits_of(loaded(folder), folder)
    assert_same(ours, theirs)
    assert (start - theirs).abs().max() > 1e-2
    again = download(live, adapter, "merged")
    assert unpacked(again, tmp_path / "again").joinpath("model.safetensors").exists()
    assert [path.name for path in places[adapter].glob("merged*")] == ["merged"]


def test_all_weights_are_a_model_already(live: Live, full: str, tmp_path: Path) -> None:
    refused = httpx.get(f"{live.base}/v1/checkpoints/{full}/download")
    assert refused.status_code == 409
    assert refused.json()["error"]["param"] == "form"
    assert "form=merged" in refused.json()["error"]["message"]
    folder = unpacked(download(live, full, "merged"), tmp_path)
    assert logits_of(loaded(folder), folder).isfinite().all()
    assert not [path for path in folder.iterdir() if any(odd in path.name for odd in KEPT_OUT)]


def test_a_merge_that_cannot_be_says_why(
    live: Live, adapter: str, data_dir: Path, engine: Engine
) -> None:
    """The base model is gone from where it lay."""
    folder = data_dir / place(engine, adapter)
    shutil.rmtree(folder / "merged", ignore_errors=True)
    before = (folder / "assay.json").read_text()
    (folder / "assay.json").write_text(json.dumps(json.loads(before) | {"base": "moved-away"}))
    answer = httpx.get(
        f"{live.base}/v1/checkpoints/{adapter}/download", params={"form": "merged"}, timeout=60
    )
    (folder / "assay.json").write_text(before)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "merge_failed")
    assert "moved-away" in answer.json()["error"]["message"]
    assert list(folder.glob("merged*")) == []


def test_what_was_deleted_is_gone_and_still_described(
    live: Live, assay: Client, full: str, engine: Engine
) -> None:
    with engine.begin() as db:
        db.execute(text("UPDATE checkpoints SET deleted = true WHERE id = :id"), {"id": full})
    answer = httpx.get(f"{live.base}/v1/checkpoints/{full}/download", params={"form": "merged"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "checkpoint_deleted")
    found = assay.request("GET", f"/v1/checkpoints/{full}")
    assert found["deleted"]
    assert found["form"] is None
    assert found["card"]["method"] == "sft"


def test_no_such_checkpoint(live: Live) -> None:
    for path in ("ckpt_none", "ckpt_none/download"):
        answer = httpx.get(f"{live.base}/v1/checkpoints/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "checkpoint_not_found")


def download(live: Live, checkpoint: str, form: str) -> bytes:
    answer = httpx.get(
        f"{live.base}/v1/checkpoints/{checkpoint}/download", params={"form": form}, timeout=90
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-tar"
    assert int(answer.headers["content-length"]) == len(answer.content)
    return answer.content


def unpacked(tar: bytes, into: Path) -> Path:
    into.mkdir(exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        archive.extractall(into, filter="data")
    (folder,) = into.iterdir()
    return folder


def place(engine: Engine, checkpoint: str) -> Path:
    """Below the data folder."""
    query = text("SELECT folder FROM checkpoints WHERE id = :id")
    with engine.connect() as db:
        return Path(str(db.scalar(query, {"id": checkpoint})))


def loaded(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()


def logits_of(model: Any, folder: Path) -> Any:
    """(B, T, V), by the tokenizer that came along."""
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    with torch.no_grad():
        return torch.cat([model(**tokenizer(one, return_tensors="pt")).logits[0] for one in TEXTS])
