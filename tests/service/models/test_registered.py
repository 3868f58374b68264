"""Models behind URLs: registered, tried, changed and forgotten on a running service."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from assay import AssayError, Client
from inference.remote.errors import EndpointError
from service.errors import ApiError
from service.models import keys, registered
from service.models import store as models
from service.settings import Settings
from tests.faulty_server import KEY, FaultyServer, faulty_server
from tests.service.live import Live


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with faulty_server() as made:
        yield made


@pytest.fixture
def gpt(assay: Client, server: FaultyServer) -> Iterator[str]:
    """A model that is registered for the time of a test."""
    server.asked.clear()
    assay.create_model("gpt", server.url, "good", api_key=KEY, price={"input": 1.0, "output": 2.0})
    yield "gpt"
    if "gpt" in {model.id for model in assay.models()}:
        assay.delete_model("gpt")


def test_a_registered_model_is_listed_like_any_other(
    assay: Client, gpt: str, server: FaultyServer
) -> None:
    listed = {model.id: model for model in assay.models()}
    assert listed[gpt].origin == "registered"
    assert listed["tiny-language"].origin == "root"
    shown = assay.model(gpt).registered
    assert shown is not None
    assert (shown.url, shown.model, shown.key) == (server.url, "good", "stored")
    assert shown.limits.concurrency == 16
    assert assay.model("tiny-language").origin == "root"
    assert assay.model("builtin/minilm-l6").origin == "builtin"
    assert not server.asked  # nothing is called before somebody asks for it


def test_what_runs_here_has_no_server_to_try(assay: Client) -> None:
    with pytest.raises(AssayError, match="runs here") as refused:
        assay.request("POST", "/v1/models/builtin/minilm-l6/check")
    assert refused.value.code == "not_registered"


def test_a_misspelt_name_is_told_the_nearest(assay: Client, gpt: str) -> None:
    with pytest.raises(AssayError, match="did you mean 'gpt'") as refused:
        assay.evaluate(model="gtp", samples=[{"prompt": "Hi?"}], metrics=["latency"])
    assert (refused.value.code, refused.value.param) == ("unknown_model", "model")


def test_a_key_is_never_shown(
    assay: Client, gpt: str, database_url: str, live: Live, data_dir: Path
) -> None:
    for path in ("/v1/models", f"/v1/models/{gpt}"):
        assert KEY not in str(assay.request("GET", path))
    with psycopg.connect(database_url) as db:
        query = "SELECT m::text, key FROM registered_models m WHERE name = 'gpt'"
        rows = db.execute(query).fetchall()
        assert rows
        assert rows[0][1]
    assert KEY not in str(rows)
    assert KEY.encode().hex() not in str(rows)
    assert stat.S_IMODE((data_dir / keys.FILE).stat().st_mode) == 0o600


def test_check_says_what_is_offered(assay: Client, gpt: str, server: FaultyServer) -> None:
    offers = assay.check_model(gpt)
    assert (offers.chat, offers.completions, offers.logprobs) == (True, True, True)
    assert (offers.echo, offers.n, offers.seed) == (True, True, True)
    assert (offers.model, offers.fingerprint) == ("served-1", "fp_1")
    assert offers.problems == {}
    assert {one.headers["authorization"] for one in server.asked} == {f"Bearer {KEY}"}
    shown = assay.model(gpt).registered
    assert shown is not None
    assert shown.offers == offers


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("refused_key", "key_refused", "refuses the key"),
        ("unknown_model", "endpoint_not_found", "no such model"),
        ("html", "request_failed", "HTML"),
        ("broken", "request_failed", "it broke"),
    ],
)
def test_check_says_why_there_is_no_answer(
    assay: Client, gpt: str, fault: str, code: str, said: str
) -> None:
    assay.update_model(gpt, model=fault)
    with pytest.raises(AssayError, match=said) as raised:
        assay.check_model(gpt)
    assert (raised.value.status, raised.value.code) == (422, code)
    assert KEY not in str(raised.value)


def test_check_says_that_nothing_listens(assay: Client, gpt: str) -> None:
    with faulty_server() as gone:
        url = gone.url
    assay.update_model(gpt, url=url, api_key=KEY)
    with pytest.raises(AssayError, match="cannot be reached"):
        assay.check_model(gpt)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "ckpt_1"),
        ("name", "org/name"),
        ("name", "builtin"),
        ("url", "ftp://example.org/v1"),
        ("url", "http://169.254.169.254/v1"),
        ("url", "http://[::ffff:169.254.169.254]/v1"),
        ("url", "http://0.0.0.0/v1"),
        ("url", "http://user:word@example.org/v1"),
        ("url", "https://example.org/v1/chat/completions"),
        ("api_key", "two words"),
        ("api_key_env", "ASSAY_DATABASE_URL"),
        ("extra_body", {"stream": True}),
        ("limits", {"concurrency": 0}),
        ("timeout_s", 0),
    ],
)
def test_bad_input_is_refused(assay: Client, field: str, value: object) -> None:
    body = {"name": "bad", "url": "https://example.org/v1", "model": "m", field: value}
    with pytest.raises(AssayError) as raised:
        assay.request("POST", "/v1/models", body)
    assert raised.value.status == 422
    assert (raised.value.param or "").startswith(field)
    assert "two words" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("api_key", {"api_key": KEY}),
        ("X-API-Key", {"headers": {"X-API-Key": KEY}}),
        ("Authorization", {"extra_headers": [{"Authorization": f"Bearer {KEY}"}]}),
        ("accessToken", {"accessToken": KEY}),
        ("client_secret", {"login": {"client_secret": KEY}}),
        ("password", {"password": KEY}),
        ("key", {"key": KEY}),
    ],
)
def test_a_key_does_not_go_into_the_body(
    assay: Client, gpt: str, name: str, extra: dict[str, object]
) -> None:
    url = "https://example.org/v1"
    body = {"name": "bad", "url": url, "model": "m", "extra_body": extra}
    changed = {"extra_body": extra}
    for method, path, sent in (("POST", "", body), ("PATCH", f"/{gpt}", changed)):
        with pytest.raises(AssayError, match="`api_key`") as raised:
            assay.request(method, f"/v1/models{path}", sent)
        error = raised.value
        assert (error.status, error.code) == (422, "secret_in_extra_body")
        assert error.param == "extra_body"
        assert repr(name) in str(error)
        assert KEY not in str(error)


def test_what_only_sounds_like_a_key_goes_into_the_body(assay: Client, gpt: str) -> None:
    schema = {"type": "object", "properties": {"password": {"type": "string"}}}
    extra = {
        "max_tokens": None,
        "max_completion_tokens": 20,
        "prompt_cache_key": "questions",
        "stop_token_ids": [2],
        "api_key": None,
        "chat_template_kwargs": {"eos_token": "</s>"},
        "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
    }
    shown = assay.update_model(gpt, extra_body=extra).registered
    assert shown is not None
    assert shown.extra_body == extra


def test_a_name_is_one_models(assay: Client, gpt: str, server: FaultyServer) -> None:
    for taken in (gpt, "tiny-language"):
        with pytest.raises(AssayError) as raised:
            assay.create_model(taken, server.url, "good")
        assert raised.value.code == "model_exists"


def test_what_is_given_changes(assay: Client, gpt: str) -> None:
    changed = assay.update_model(gpt, limits={"concurrency": 3}, extra_body={"top_k": None})
    assert changed.registered is not None
    assert changed.registered.limits.concurrency == 3
    assert changed.registered.extra_body == {"top_k": None}
    assert changed.registered.key == "stored"
    changed = assay.update_model(gpt, api_key_env="SOME_API_KEY")
    assert changed.registered is not None
    assert (changed.registered.key, changed.registered.api_key_env) == (
        "environment",
        "SOME_API_KEY",
    )
    with pytest.raises(AssayError, match="SOME_API_KEY"):
        assay.check_model(gpt)
    changed = assay.update_model(gpt, without_key=True)
    assert changed.registered is not None
    assert changed.registered.key is None


def test_a_key_goes_to_no_other_host(assay: Client, gpt: str) -> None:
    with pytest.raises(AssayError) as raised:
        assay.update_model(gpt, url="https://elsewhere.example.org/v1")
    assert raised.value.code == "key_needed"


def test_a_model_in_use_stays(assay: Client, gpt: str, database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute(
            "INSERT INTO datasets (id, name, version, kind, digest, size) "
            "VALUES ('ds_held', 'held', 1, 'eval', '', 0)"
        )
        db.execute(
            "INSERT INTO evaluations (id, system, dataset_id, models, status, seed, replicates, "
            "level, size) VALUES ('eval_held', 's', 'ds_held', '{gpt}', 'running', 0, 100, .9, 0)"
        )
        try:
            for ask in (
                lambda: assay.delete_model(gpt),
                lambda: assay.update_model(gpt, model="other"),
            ):
                with pytest.raises(AssayError, match="eval_held") as raised:
                    ask()
                assert raised.value.code == "model_in_use"
            assay.update_model(gpt, timeout_s=5.0)  # changes no answer
        finally:
            db.execute("DELETE FROM evaluations WHERE id = 'eval_held'")
            db.execute("DELETE FROM datasets WHERE id = 'ds_held'")
    assert assay.delete_model(gpt).deleted
    with pytest.raises(AssayError) as raised:
        assay.model(gpt)
    assert (raised.value.status, raised.value.code) == (404, "model_not_found")


def test_weights_cannot_be_behind_a_url(assay: Client, gpt: str) -> None:
    samples = [{"id": "1", "prompt": "p", "output": "o"}]
    with pytest.raises(AssayError, match="behind a URL") as raised:
        assay.evaluate(
            system="s",
            dataset="weights",
            samples=samples,
            metrics=[{"name": "reward", "params": {"model": gpt}}],
        )
    assert (raised.value.code, raised.value.param) == (
        "wrong_model_kind",
        "metrics[0].params.model",
    )


def values(settings: Settings, **more: object) -> dict[str, object]:
    key = keys.sealed(settings, SecretStr(KEY))
    given = {"name": "m", "url": "http://127.0.0.1:1/v1", "model": "x", "key": key}
    limits = {"concurrency": 2, "timeout_s": 1.0, "extra_body": {}, "private": True}
    return given | limits | more


def test_a_stored_model_opens_with_its_key(engine: Engine, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with engine.begin() as db:
        assert registered.create(db, values(settings))
        row = registered.find(db, "m")
        models.require(db, settings, "m", "model", "chat")
        with pytest.raises(ApiError, match="behind a URL"):
            models.require(db, settings, "m", "model", "language")
    assert row is not None
    opened = registered.opened(settings, row)
    assert opened.key is not None
    assert opened.key.get_secret_value() == KEY
    assert KEY not in repr(opened)
    assert opened.private
    strict = Settings(data_dir=tmp_path, private_urls=False)
    assert not registered.opened(strict, row).private
    (tmp_path / keys.FILE).unlink()
    with pytest.raises(EndpointError, match="Give the key again"):
        registered.opened(settings, row)


def test_a_key_of_the_environment_is_read_when_it_is_needed(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path)
    with engine.begin() as db:
        registered.create(db, values(settings, key=None, key_env="MY_API_KEY"))
        row = registered.find(db, "m")
    assert row is not None
    with pytest.raises(EndpointError, match="MY_API_KEY"):
        registered.opened(settings, row)
    monkeypatch.setitem(os.environ, "MY_API_KEY", f"{KEY}\n")
    opened = registered.opened(settings, row)
    assert opened.key is not None
    assert opened.key.get_secret_value() == KEY


@pytest.mark.parametrize(
    ("host", "setting", "allowed"),
    [
        ("127.0.0.1", "auto", True),
        ("::1", "auto", True),
        ("192.0.2.1", "auto", False),
        ("192.0.2.1", "true", True),
        ("127.0.0.1", "false", False),
    ],
)
def test_private_urls_are_allowed_where_the_service_is_private(
    monkeypatch: pytest.MonkeyPatch, host: str, setting: str, allowed: bool
) -> None:
    monkeypatch.setenv("ASSAY_HOST", host)
    monkeypatch.setenv("ASSAY_PRIVATE_URLS", setting)
    settings = Settings()
    assert settings.private_urls_allowed is allowed
    handed_on = settings.environment()["ASSAY_PRIVATE_URLS"]
    monkeypatch.setenv("ASSAY_PRIVATE_URLS", handed_on)
    assert Settings().private_urls_allowed is allowed
