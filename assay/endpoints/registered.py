"""Models behind URLs: registered, tried, changed, forgotten."""

from __future__ import annotations

from collections.abc import Mapping

from assay.exchange import Request, Script, ask, create, delete, encoded, get, post
from assay.model_models import DeletedModel, Model, ModelOffers
from assay.models import Page

ROOT = "/v1/models"
CHECK_S = 600.0  # that the calls of a check may take together


def models() -> Script[list[Model]]:
    """Models that can be named without a download, and those behind URLs."""
    return (yield from ask(get(ROOT), Page[Model])).data


def model(name: str) -> Script[Model]:
    """One of them."""
    return ask(get(ROOT, name), Model)


def create_model(
    name: str,
    url: str,
    model: str,
    *,
    api_key: str | None = None,
    api_key_env: str | None = None,
    limits: Mapping[str, object] | None = None,
    timeout_s: float | None = None,
    price: Mapping[str, object] | None = None,
    extra_body: Mapping[str, object] | None = None,
    idempotency_key: str | None = None,
) -> Script[Model]:
    """Register a model behind a URL that speaks the chat-completions protocol.

    Args:
        name: the name that it then has wherever a model is named.
        url: what comes before /chat/completions.
        model: the server's name of it.
        api_key: stored encrypted, never shown again.
        api_key_env: instead: the workers' environment variable that holds it, as OPENAI_API_KEY.
        limits: {"concurrency", "requests_per_minute", "tokens_per_minute"}.
        timeout_s: seconds that one answer may take.
        price: {"input", "output"} per million tokens.
        extra_body: goes into every request; null takes out a part that is there otherwise.
        idempotency_key: the same key and body give the same answer.
    """
    given = _given(api_key, api_key_env, limits, timeout_s, price, extra_body)
    body = {"name": name, "url": url, "model": model, **given}
    return ask(create(ROOT, body, idempotency_key), Model)


def update_model(
    name: str,
    *,
    url: str | None = None,
    model: str | None = None,
    api_key: str | None = None,
    api_key_env: str | None = None,
    limits: Mapping[str, object] | None = None,
    timeout_s: float | None = None,
    price: Mapping[str, object] | None = None,
    extra_body: Mapping[str, object] | None = None,
    without_key: bool = False,
) -> Script[Model]:
    """Change what is given of a registered model.

    Args:
        url: at another host, the key has to be given again.
        limits: all of them anew.
        price: both anew.
        without_key: take the key away.
    """
    changes = _given(api_key, api_key_env, limits, timeout_s, price, extra_body)
    changes |= {key: value for key, value in (("url", url), ("model", model)) if value is not None}
    if without_key:
        changes = {"api_key": None, "api_key_env": None} | changes
    content, headers = encoded(changes)
    path = get(ROOT, name).path
    return ask(Request("PATCH", path, {}, headers, content, repeatable=True), Model)


def delete_model(name: str) -> Script[DeletedModel]:
    """Forget a registered model; what it answered stays."""
    return ask(delete(ROOT, name), DeletedModel)


def check_model(name: str) -> Script[ModelOffers]:
    """Send a registered model a few short requests, and see what its server offers."""
    return ask(post(ROOT, name, "check", repeatable=False, patience=CHECK_S), ModelOffers)


def _given(
    api_key: str | None,
    api_key_env: str | None,
    limits: Mapping[str, object] | None,
    timeout_s: float | None,
    price: Mapping[str, object] | None,
    extra_body: Mapping[str, object] | None,
) -> dict[str, object]:
    """Those fields of a body that are given."""
    values = {
        "api_key": api_key,
        "api_key_env": api_key_env,
        "limits": limits,
        "timeout_s": timeout_s,
        "price": price,
        "extra_body": extra_body,
    }
    return {name: value for name, value in values.items() if value is not None}
