"""Tokens of annotators: 256 random bits, of which only a digest is stored."""

from __future__ import annotations

import hashlib
import secrets
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from service.errors import ApiError

PREFIX = "asn_"
RANDOM_BYTES = 32
CHALLENGE = {"WWW-Authenticate": "Bearer"}

_bearer = HTTPBearer(
    auto_error=False, scheme_name="annotator", description="the token of an annotator's link"
)


def new_token() -> str:
    """A token that nobody can guess."""
    return PREFIX + secrets.token_urlsafe(RANDOM_BYTES)


def digest(token: str) -> bytes:
    """What is stored of a token. One sha256 is enough of a text that is all random."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def refused(code: str, message: str) -> ApiError:
    """401, without a word of what was sent."""
    return ApiError(401, code, message, "Authorization", CHALLENGE)


async def _sent(
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> bytes:
    if given is None or not given.credentials:
        message = "send the token of your link as the header Authorization: Bearer …"
        raise refused("token_missing", message)
    return digest(given.credentials)


# the digest of the token that a request came with
TokenDigest = Annotated[bytes, Depends(_sent)]
