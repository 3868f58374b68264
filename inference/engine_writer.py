"""An engine has prompts continued: for evaluations, where it is not `transformers`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from inference.engine import Engine, Row, Tell, Written, decoded, nobody
from inference.generation import TELL_EVERY, Continuation, before_stop, fitted
from inference.protocol import Generation
from inference.writer import Writer

SEED_STEP = 1_000_003  # between the seeds of evaluations: more than a shard has draws


class EngineWriter(Writer):
    """Each output has a seed of its own, made of the given one and its place among all."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine.tokenizer, engine.identity)
        self.engine = engine
        self.fingerprint = engine.fingerprint

    def generate_rows(
        self,
        rows: Sequence[list[int]],
        options: Generation,
        progress: Callable[[int], None] | None = None,
    ) -> list[list[Continuation]]:
        """Raises InputError as `generation.fitted` does."""
        n = options.num_outputs
        asked = [
            Row(
                ids,
                options.max_new_tokens,
                options.temperature,
                options.top_p,
                options.top_k,
                seed=(options.seed * SEED_STEP + at * n + draw) % 2**63,
                stop=options.stop,
            )
            for at, ids in enumerate(fitted(self, self.engine.max_length, rows, options))
            for draw in range(n)
        ]
        tell = nobody if progress is None else _progress_of(progress, n)
        found = [self._continuation(one, options) for one in self.engine.generate(asked, tell)]
        return [found[at : at + n] for at in range(0, len(found), n)]

    def _continuation(self, written: Written, options: Generation) -> Continuation:
        """Its text is that of its tokens, as `transformers` has it: an engine that decodes them as
        they come may write spaces and broken characters otherwise."""
        text = before_stop(decoded(self.engine, written.ids, special=False), options.stop)
        return Continuation(text, len(written.ids), written.finish == "stop")


def _progress_of(progress: Callable[[int], None], num_outputs: int) -> Tell:
    """Tells how many more prompts are answered, and once a second that there is work."""
    answered, told = 0, time.monotonic()

    def tell(written: Sequence[Written]) -> Collection[int]:
        nonlocal answered, told
        more = sum(one.finish is not None for one in written) // num_outputs - answered
        if more or time.monotonic() - told >= TELL_EVERY:
            progress(more)
            answered, told = answered + more, time.monotonic()
        return ()

    return tell
