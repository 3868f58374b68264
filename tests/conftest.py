"""Shared by every test: no network, tiny models and a pool that knows them."""

from __future__ import annotations

import gc
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# two test processes and what they start share the cores: threads that wait for each other spin
os.environ.setdefault("OMP_NUM_THREADS", "1")

# httpx reads a file of certificates for each client, which takes 45 ms, and of a folder those alone
# that it meets: no test meets any
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)

# processes that tests start read our modules compiled; who starts tests may have said not to
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# collecting tests imports everything: the collector would search it again and again, and it stays
gc.disable()

pytest_plugins = ["tests.running"]

if TYPE_CHECKING:
    from inference.pool import ModelPool

SMOLLM2 = "builtin/smollm2-135m-instruct"
MINILM = "builtin/minilm-l6"


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """Where the builtin model's safetensors stay between runs: they take 20–40 s to make."""
    repository = Path(__file__).resolve().parent.parent
    return Path(os.environ.get("ASSAY_TEST_CACHE") or repository / ".assay" / "test-cache")


@pytest.fixture(scope="session")
def models_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one folder that `model_pool` may load local models from."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def tiny_language_model(models_root: Path) -> Path:
    """The folder of a random llama with a chat template."""
    from tests.tiny_models import build_language_model

    return build_language_model(models_root / "tiny-language")


@pytest.fixture(scope="session")
def tiny_judge(models_root: Path) -> Path:
    """The folder of a random llama that a judge's long questions fit."""
    from tests.tiny_models import build_language_model

    return build_language_model(models_root / "tiny-judge", max_position_embeddings=4096)


@pytest.fixture(scope="session")
def tiny_reward_model(models_root: Path) -> Path:
    """The folder of a random llama with one output a sequence, and a chat template."""
    from tests.tiny_models import build_reward_model

    return build_reward_model(models_root / "tiny-reward", seed=1)


@pytest.fixture(scope="session")
def tiny_nli(models_root: Path) -> Path:
    """The folder of a random BERT with the labels of natural language inference."""
    from tests.tiny_models import build_nli_model

    return build_nli_model(models_root / "tiny-nli")


@pytest.fixture(scope="session")
def tiny_answers(models_root: Path) -> Path:
    """The folder of a random BERT that answers questions by spans."""
    from tests.tiny_models import build_answers_model

    return build_answers_model(models_root / "tiny-answers")


@pytest.fixture(scope="session")
def tiny_questions(models_root: Path) -> Path:
    """The folder of a random T5 that writes questions."""
    from tests.tiny_models import build_questions_model

    return build_questions_model(models_root / "tiny-questions")


@pytest.fixture(scope="session")
def model_pool(models_root: Path, model_cache: Path) -> ModelPool:
    """Local models under `models_root`, and the builtin ones; warm for the whole session."""
    from inference.pool import ModelPool

    return ModelPool([models_root], model_cache)


def pytest_collection_finish() -> None:
    """From now on garbage is collected: what tests leave, beside what they imported."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with many slow tests go first: the last to end then wait for little."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])
