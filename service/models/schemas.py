"""Models as requests name and register them, and as answers show them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr, model_validator
from pydantic_core import PydanticCustomError

from inference.remote.registered import CONCURRENCY, TIMEOUT_S
from service.http.fields import Json, Schema, Text

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
RESERVED = ("ckpt_", "builtin")
OURS = {"messages", "model", "n", "stream"}  # parts of a body that are the service's to fill
LONGEST_KEY = 10_000
# names of what has to stay secret, without their punctuation; none of `max_tokens`,
# `prompt_cache_key`, `eos_token`
SECRET = re.compile(
    r"^(key|token)$|(api|access|auth|account|master|private|secret|subscription)keys?$"
    r"|(access|api|auth|bearer|hf|id|refresh|session)tokens?$"
    r"|secret|passw(or)?d|passphrase|credential|authorization|^bearer$"
)


def _model_name(value: str) -> str:
    if NAME.fullmatch(value) is None or value.startswith(RESERVED):
        raise PydanticCustomError(
            "model_name",
            "must be letters, digits, `.`, `_` and `-`, at most 100, and begin with a letter or "
            "digit, but neither with `ckpt_` nor `builtin`: other names are other models'",
        )
    return value


def _key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not key or len(key) > LONGEST_KEY or not all("!" <= one <= "~" for one in key):
        raise PydanticCustomError(
            "api_key", "must be printable ASCII without spaces, as it goes into a header"
        )
    return value


def _extra(value: dict[str, object]) -> dict[str, object]:
    taken = sorted(OURS & set(value))
    if taken:
        message = f"may not hold {', '.join(taken)}: the service fills them"
        raise PydanticCustomError("extra_body", message)
    secret = next(_secrets(value), None)
    if secret is not None:
        message = (
            "may not hold {name}: extra_body is stored and shown as it is. Give the key as "
            "`api_key`, which is encrypted, or as `api_key_env`"
        )
        raise PydanticCustomError("secret_in_extra_body", message, {"name": repr(secret)})
    return value


def _secrets(value: object, name: str = "") -> Iterator[str]:
    """Names of the fields, at any depth, that are called as keys are and hold something."""
    if isinstance(value, dict):
        for inner, held in value.items():
            yield from _secrets(held, inner)
    elif value not in (None, "") and not isinstance(value, bool):
        if SECRET.search(re.sub(r"[^a-z0-9]", "", name.lower())):
            yield name[:100]
        elif isinstance(value, list):
            for held in value:
                yield from _secrets(held, name)


ModelName = Annotated[str, AfterValidator(_model_name)]
Key = Annotated[SecretStr, AfterValidator(_key)]
KeyVariable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*_API_KEY$", max_length=200)]
Extra = Annotated[Json, AfterValidator(_extra)]
Price = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Rate = Annotated[int, Field(ge=1, le=2**31 - 1)]

KEY = Field(default=None, description="sent as `Authorization: Bearer`; never shown again")
KEY_ENV = Field(
    default=None,
    description="instead of `api_key`: the environment variable of the workers, and of the API for "
    "checks, that holds it; its name ends in `_API_KEY`",
)
EXTRA = "goes into every request's body; null takes a part out that is there otherwise"


class ModelLimitsIn(Schema):
    """Over all workers together."""

    concurrency: int = Field(default=CONCURRENCY, ge=1, le=1024, description="requests at a time")
    requests_per_minute: Rate | None = None
    tokens_per_minute: Rate | None = Field(default=None, description="input and output together")


class ModelPriceIn(Schema):
    """Per million tokens, in any currency."""

    input: Price | None = None
    output: Price | None = None


class _Keyed(Schema):
    @model_validator(mode="after")
    def _one_key(self) -> _Keyed:
        if getattr(self, "api_key", None) and getattr(self, "api_key_env", None):
            raise PydanticCustomError("two_keys", "give `api_key` or `api_key_env`, not both")
        return self


class RegisteredModelIn(_Keyed):
    """A model behind a URL that speaks the chat-completions protocol."""

    name: ModelName
    url: str = Field(description="what comes before /chat/completions: https://api.example.org/v1")
    model: Annotated[Text, Field(min_length=1, max_length=500)] = Field(
        description="the server's name of it"
    )
    api_key: Key | None = KEY
    api_key_env: KeyVariable | None = KEY_ENV
    limits: ModelLimitsIn = Field(default_factory=ModelLimitsIn)
    timeout_s: float = Field(
        default=TIMEOUT_S, gt=0, le=86400, description="seconds that one answer may take"
    )
    price: ModelPriceIn = Field(default_factory=ModelPriceIn)
    extra_body: Extra = Field(default_factory=dict, description=EXTRA)


class RegisteredModelPatch(_Keyed):
    """What is to change; what is not given stays. `api_key` null takes the key away."""

    url: str | None = None
    model: Annotated[Text, Field(min_length=1, max_length=500)] | None = None
    api_key: Key | None = KEY
    api_key_env: KeyVariable | None = KEY_ENV
    limits: ModelLimitsIn | None = Field(default=None, description="all of them anew")
    timeout_s: float | None = Field(default=None, gt=0, le=86400)
    price: ModelPriceIn | None = Field(default=None, description="both anew")
    extra_body: Extra | None = Field(default=None, description=EXTRA)


class ModelLimitsOut(BaseModel):
    """Over all workers together."""

    concurrency: int
    requests_per_minute: int | None
    tokens_per_minute: int | None


class ModelPriceOut(BaseModel):
    """Per million tokens."""

    input: float | None
    output: float | None


class ModelOffersOut(BaseModel):
    """What a server was seen to do. `problems` says by name why something is not offered."""

    chat: bool
    completions: bool
    logprobs: bool = Field(description="alternatives of each token of a chat's answer")
    echo: bool = Field(description="log-probabilities of a prompt's own tokens")
    n: bool = Field(description="several answers to one request")
    seed: bool = Field(description="the same answer to the same seed")
    latency_s: float = Field(description="seconds that one token of an answer took")
    model: str | None = Field(description="the server's own name of what answered")
    fingerprint: str | None
    problems: dict[str, str]


class RegisteredModelOut(BaseModel):
    """How a model behind a URL was registered. Its key is never shown."""

    url: str
    model: str
    key: Literal["stored", "environment"] | None = Field(description="where the key is, if any")
    api_key_env: str | None
    limits: ModelLimitsOut
    timeout_s: float
    price: ModelPriceOut
    extra_body: dict[str, object]
    offers: ModelOffersOut | None = Field(description="what the last check found")
    checked_at: datetime | None
    created_at: datetime


class ModelOut(BaseModel):
    """A model by the name to use in requests."""

    id: str
    object: str = "model"
    origin: str = Field(
        description="`builtin`; `root`: a folder under an allowed root; `checkpoint`; "
        "`registered`: behind a URL"
    )
    registered: RegisteredModelOut | None = None


class DeletedModelOut(BaseModel):
    """A model that is registered no more."""

    id: str
    deleted: bool = True
