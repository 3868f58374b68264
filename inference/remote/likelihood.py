"""Log-probabilities of given texts from a server's /completions, once it is known to say true ones.

Some servers accept `echo` and `logprobs` and answer with other numbers than the model's, or draw
anew each time. So a server is tried first: what it says of two tokens that it wrote itself has to
be what it said when it wrote them, twice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from inference.chat import Reply
from inference.errors import InputError
from inference.remote.asking import Progress
from inference.remote.errors import RequestFailed
from inference.remote.hooks import Account, MemoryReplies, reply_key
from inference.remote.remote_chat import RemoteChat
from inference.remote.remote_model import COMPLETIONS, Draw, Singly

KNOWN = ("The capital of France is", "1 2 3 4")  # beginnings that models go on from
TOLERANCE = 0.05  # nats: bfloat16 and other batches
ECHO: Mapping[str, Any] = {"max_tokens": 1, "temperature": 0, "logprobs": 1, "echo": True}
PROMPT: Mapping[str, Any] = {"max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}

Token = tuple[str, float | None]  # its text, and its log-probability; None where nothing is before


class RemoteLikelihood:
    """Texts read by a registered model. Replies are kept as all others are."""

    def __init__(self, chat: RemoteChat) -> None:
        self.chat = chat
        self.identity = chat.identity
        self._way: Mapping[str, Any] | None = None
        self._first = False  # does the server put a token before each text
        self._source: RemoteLikelihood | None = None  # that tries the server

    def paid_by(self, account: Account) -> RemoteLikelihood:
        """The same, with what texts take at the account's expense."""
        chat = self.chat.scoped(account.scope, replies=account.replies, budget=account.budget)
        other = RemoteLikelihood(chat)
        other._source = self
        return other

    @property
    def puts_first(self) -> bool:
        """Whether the server puts a token of its own before each text: all of it is then read."""
        self._tried()
        return self._first

    def read(
        self, texts: Sequence[str], progress: Progress | None = None
    ) -> list[list[Token] | str]:
        """The tokens of each text, without what the server puts before; a sentence where it could
        not be read.

        Raises ReportedError for a server that does not tell log-probabilities of given texts, or
        wrong ones.
        """
        way = self._tried()
        found = self._asked(self.chat, [dict(way) | {"prompt": text} for text in texts], progress)
        return [self._tokens(reply) for reply in found]

    def _tokens(self, reply: Reply) -> list[Token] | str:
        if reply.error is not None:
            return reply.error
        tokens = _parsed(reply)
        return tokens[1:] if self._first else tokens

    def _tried(self) -> Mapping[str, Any]:
        if self._source is not None:
            self._way, self._first = self._source._tried(), self._source._first
        if self._way is None:
            problems = []
            for way in (ECHO, PROMPT):
                try:
                    self._first = self._try(way)
                    self._way = way
                    return way
                except (RequestFailed, InputError) as error:
                    problems.append(error.message)
            name = self.identity.name
            message = f"{name!r} tells no log-probabilities of given texts that hold: "
            raise InputError(message + "; ".join(dict.fromkeys(problems)), "params.model")
        return self._way

    def _try(self, way: Mapping[str, Any]) -> bool:
        """Whether a token stands before each text. Raises where what is told does not hold."""
        fresh = self.chat.scoped("", replies=MemoryReplies(0))  # nothing that was kept
        for beginning in KNOWN:
            text, said = beginning, list[float]()
            for _ in range(2):
                body = {"max_tokens": 1, "temperature": 0, "logprobs": 1, "prompt": text}
                (token, logprob), *_ = _written(self._asked(fresh, [body])[0]) or [("", None)]
                if not token or logprob is None:
                    break
                text, said = text + token, [*said, logprob]
            else:
                return self._held(fresh, way, beginning, text, said)
        raise InputError("it writes no tokens with log-probabilities")

    def _held(
        self,
        fresh: RemoteChat,
        way: Mapping[str, Any],
        beginning: str,
        text: str,
        said: Sequence[float],
    ) -> bool:
        (once,), (again,) = (self._asked(fresh, [dict(way) | {"prompt": text}]) for _ in range(2))
        first, second = _parsed(once), _parsed(again)
        if first != second and not all(
            a[0] == b[0] and _near(a[1], b[1]) for a, b in zip(first, second, strict=False)
        ):
            raise InputError("the same text twice has different ones")
        joined = "".join(token for token, _ in first)
        if not joined.endswith(text) or len(first) < 3:
            raise InputError("the tokens that it tells of are not those of the text")
        if not all(_near(one[1], told) for one, told in zip(first[-2:], said, strict=True)):
            raise InputError("those of a text are others than those it had when it was written")
        return first[0][1] is None and joined != text

    def _asked(
        self,
        chat: RemoteChat,
        bodies: Sequence[Mapping[str, Any]],
        progress: Progress | None = None,
    ) -> list[Reply]:
        draws = []
        for index, given in enumerate(bodies):
            body = {"model": chat.model.model, **given, **chat.model.extra_body}
            body = {name: value for name, value in body.items() if value is not None}
            key = reply_key(chat.model.url, body, 0, "likelihood")
            draws.append(Draw(index, 0, body, key, path=COMPLETIONS))
        answered = chat.answered(draws, len(draws), Singly(_read), progress)
        return [replies[0] for replies in answered]


def _read(content: Mapping[str, Any], latency_s: float) -> Reply:
    """Tokens as JSON in place of a text: those of the prompt, then what was written."""
    choices = content.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict):
        raise RequestFailed("the answer has no choices", "unreadable")
    prompt = _of_prompt(choice.get("prompt_logprobs"))
    told = choice.get("logprobs")
    told = told if isinstance(told, dict) else {}
    tokens, values = told.get("tokens"), told.get("token_logprobs")
    if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
        tokens, values = [], []
    pairs = [
        [str(token), float(value) if isinstance(value, int | float) else None]
        for token, value in zip(tokens, values, strict=True)
    ]
    if not prompt and not pairs:
        raise RequestFailed("the answer has no log-probabilities", "unreadable")
    usage = content.get("usage")
    given = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    said = json.dumps({"prompt": prompt, "tokens": pairs})
    return Reply(said, latency_s=latency_s, input_tokens=given if isinstance(given, int) else None)


def _of_prompt(told: Any) -> list[list[Any]]:
    """Of vLLM's `prompt_logprobs`: None for the first, else the token by its id."""
    if not isinstance(told, list):
        return []
    found: list[list[Any]] = []
    for one in told:
        if one is None:
            found.append(["", None])
            continue
        entry = next(iter(one.values()), None) if isinstance(one, dict) else None
        if not isinstance(entry, dict) or not isinstance(entry.get("logprob"), int | float):
            return []
        found.append([str(entry.get("decoded_token") or ""), float(entry["logprob"])])
    return found


def _parsed(reply: Reply) -> list[Token]:
    """The text's own tokens: without the one that had to be written."""
    if reply.error is not None:
        raise RequestFailed(reply.error)
    told = json.loads(reply.text)
    found = told["prompt"] or told["tokens"][:-1]
    if any(value is not None and not math.isfinite(value) for _, value in found):
        raise InputError("a log-probability is not finite")
    return [(token, value) for token, value in found]


def _written(reply: Reply) -> list[Token]:
    if reply.error is not None:
        raise RequestFailed(reply.error)
    return [(token, value) for token, value in json.loads(reply.text)["tokens"]]


def _near(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= TOLERANCE + 0.01 * abs(other)
