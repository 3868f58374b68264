"""What never ends ends: the metric at work is blamed, and everybody else goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from service.evaluations import jobs
from service.jobs.context import Context
from tests.service.evaluations.test_retry import context, create  # noqa: F401
from tests.service.live import Live
from tests.service.texts import samples

pytestmark = pytest.mark.slow

LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}x"


def looping(folder: Path, model: Path) -> Path:
    """The model with a chat template that takes years."""
    shutil.copytree(model, folder)
    template = folder / "chat_template.jinja"
    config = folder / "tokenizer_config.json"
    if template.exists():
        template.write_text(LOOP)
    else:
        config.write_text(json.dumps(json.loads(config.read_text()) | {"chat_template": LOOP}))
    return folder


def test_a_looping_chat_template_blocks_nobody_for_long(
    fresh_url: str, tmp_path: Path, tiny_language_model: Path, tiny_reward_model: Path
) -> None:
    roots = tmp_path / "models"
    looping(roots / "generator", tiny_language_model)
    looping(roots / "judge", tiny_reward_model)
    service = Live(fresh_url, tmp_path / "data", model_roots=str(roots), stall_seconds="15")
    try:
        service.api()
        for _ in range(2):  # for what stalls: one beside the other
            service.worker("score")
        given = samples()
        prompts = [{"id": one["id"], "prompt": "Who?", "references": ["I"]} for one in given]
        with service.client() as assay:
            generated = assay.evaluate(model="generator", samples=prompts, metrics=["chrf"])
            reward = {"name": "reward", "params": {"model": "judge"}}
            judged = assay.evaluate(
                system="x", dataset="d", samples=given, metrics=["chrf", reward, "bleu"]
            )
            plain = assay.evaluate(system="x", dataset="d", samples=given, metrics=["chrf"])
            oldest = service.counter("assay_queue_oldest_seconds", queue="score")
            assert assay.wait(plain.id, timeout=120).status == "succeeded"
            failed = assay.wait(generated.id, timeout=120)
            assert failed.error is not None
            assert failed.error.code == "generation_failed"
            assert failed.error.message.startswith("no progress for 15 s")
            done = assay.wait(judged.id, timeout=120)
            blamed = {score.metric: score.error.message for score in done.scores if score.error}
            assert set(blamed) == {"reward"}
            assert blamed["reward"].startswith("no progress for 15 s")
            assert service.counter("assay_queue_oldest_seconds", queue="score") == 0
            assert oldest >= 0
    finally:
        service.close()


def test_closings_go_before_shards(engine: Engine, context: Context) -> None:  # noqa: F811
    short, long = create(engine), create(engine)
    jobs.plan(context, long)  # whose shards wait
    jobs.plan(context, short)
    for number in range(2):
        jobs.measure_shard(context, short, number)
    fetch = text("SELECT task_name, args FROM procrastinate_fetch_job_v2(ARRAY['score'], NULL)")
    with engine.begin() as db:
        first = db.execute(fetch).one()
    assert (first.task_name, first.args) == ("evaluate.close", {"evaluation": short})
