"""Tokens one after the other, in padded batches of rows with options and seeds of their own."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from inference.batching import plan_in_order
from inference.engine import Row, Tell, TokenLogprob, Written, nobody
from inference.load import padded

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

BATCH_TOKENS = 32_768  # prompt and new tokens of one batch: its cache of keys
BATCH_ROWS = 64
PARTIAL = "\ufffd"  # what stands for a character that has not come whole


def decode(
    language: TransformerLanguageModel, rows: Sequence[Row], tell: Tell = nobody
) -> list[Written]:
    """See `inference.engine.Engine.generate`.

    A row's draws depend on its own seed and options; its probabilities, on its batch by no more
    than rounding.
    """
    found = [Written() for _ in rows]
    for index, row in enumerate(rows):
        if not row.ids or len(row.ids) + row.max_new_tokens > language.max_length:
            raise ValueError(f"row {index} is empty, or leaves no room for its new tokens")
        if row.max_new_tokens == 0:
            found[index].finish = "length"
    wanted = [index for index, one in enumerate(found) if one.finish is None]
    sizes = [len(rows[index].ids) + rows[index].max_new_tokens for index in wanted]
    for batch in plan_in_order(sizes, BATCH_TOKENS, BATCH_ROWS):
        _Batch(language, rows, found, [wanted[at] for at in batch]).run(tell)
    return found


class _Batch:
    """Rows that are continued together; those that have ended leave it."""

    def __init__(
        self,
        language: TransformerLanguageModel,
        rows: Sequence[Row],
        found: list[Written],
        live: list[int],
    ) -> None:
        import torch

        self.language = language
        self.rows = rows
        self.found = found
        self.live = live  # indices of the rows at work, in the batch's order
        accepted = inspect.signature(language.model.forward).parameters
        self.positions = "position_ids" in accepted
        self.caches = "past_key_values" in accepted  # else: every step reads all tokens again
        self.keeps = "logits_to_keep" in accepted
        self.stops = stops_of(language.stop_ids)
        self.draws = {index: torch.Generator().manual_seed(rows[index].seed) for index in live}

    def run(self, tell: Tell) -> None:
        """Until every row has ended, or nobody wants it."""
        import torch

        ids, mask = padded(
            [list(self.rows[index].ids) for index in self.live],
            self.language.pad_id,
            left=True,
            device=self.language.device,
        )  # (B, T) each
        cache: Any = None
        fresh = ids
        with torch.inference_mode():
            while True:
                logits, cache = self._forward(fresh if self.caches else ids, mask, cache)  # (B, V)
                tokens = self._chosen(logits)
                for index, token in zip(self.live, tokens, strict=True):
                    row, found = self.rows[index], self.found[index]
                    take(found, row, token, self.language.tokenizer, self.stops)
                dropped = tell(self.found)
                kept = [
                    at
                    for at, index in enumerate(self.live)
                    if self.found[index].finish is None and index not in dropped
                ]
                if not kept:
                    return
                if len(kept) < len(self.live):
                    chosen = torch.tensor(kept, device=ids.device)
                    ids, mask = ids[chosen], mask[chosen]
                    if self.caches:
                        cache.batch_select_indices(chosen)
                    self.live = [self.live[at] for at in kept]
                fresh = ids.new_tensor([tokens[at] for at in kept])[:, None]  # (B, 1)
                ids = torch.cat([ids, fresh], 1)
                mask = torch.cat([mask, mask.new_ones(len(kept), 1)], 1)

    def _forward(self, ids: Any, mask: Any, cache: Any) -> tuple[Any, Any]:
        """(B, V) logits of the next token in float32, and the cache of all that was read."""
        more: dict[str, Any] = {"use_cache": self.caches}
        if self.caches:
            more["past_key_values"] = cache
        if self.keeps:
            more["logits_to_keep"] = 1
        if self.positions:  # the first real token of a row is at 0, whatever its padding
            more["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = self.language.model(input_ids=ids, attention_mask=mask, **more)
        return out.logits[:, -1].float(), out.past_key_values if self.caches else None

    def _chosen(self, logits: Any) -> list[int]:
        """The next token of each row at work; notes its likelihood where it is asked for."""
        tokens: list[int] = logits.argmax(-1).tolist()
        for at, index in enumerate(self.live):
            row, found = self.rows[index], self.found[index]
            if row.temperature > 0:
                tokens[at] = drawn(logits[at], row, self.draws[index])
            if len(found.ids) < len(row.written):
                tokens[at] = row.written[len(found.ids)]
        told = [at for at, index in enumerate(self.live) if self.rows[index].top is not None]
        if told:
            most = max(self.rows[self.live[at]].top or 0 for at in told)
            noted = token_logprobs(logits[told], [tokens[at] for at in told], most)
            for at, one in zip(told, noted, strict=True):
                top = one.top[: self.rows[self.live[at]].top]
                self.found[self.live[at]].logprobs.append(TokenLogprob(one.id, one.logprob, top))
        return tokens


def stops_of(ids: int | list[int] | None) -> set[int]:
    """Of what a configuration says of the tokens that end a text."""
    if ids is None:
        return set()
    return {*ids} if isinstance(ids, list) else {ids}


def take(found: Written, row: Row, token: int, tokenizer: Any, stops: Collection[int]) -> None:
    """Take a token in: the text that is known now, and whether it ends here."""
    found.ids.append(token)
    if token in stops:
        found.finish = "stop"
    elif len(found.ids) == row.max_new_tokens:
        found.finish = "length"
    text = tokenizer.decode(found.ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    cut = min((at for at in (text.find(one) for one in row.stop if one) if at >= 0), default=-1)
    if cut >= 0:
        found.text, found.finish = text[:cut], "stop"
    elif found.finish is not None:
        found.text = text
    else:
        known = text[: len(text) - held_back(text, row.stop)]
        if known.startswith(found.text):
            found.text = known


def held_back(text: str, stop: Sequence[str]) -> int:
    """How many characters at the text's end may yet change, or begin a stop string."""
    partial = len(text) - len(text.rstrip(PARTIAL))
    begun = (
        length
        for one in stop
        for length in range(min(len(one) - 1, len(text)), 0, -1)
        if text.endswith(one[:length])
    )
    return max(partial, max(begun, default=0))


def drawn(logits: Any, row: Row, draws: Any) -> int:
    """A token drawn from (V,) logits by one uniform number of `draws`: the inverse of the
    distribution function, whatever the device."""
    import torch

    probabilities = (logits.double().cpu() / row.temperature).softmax(-1)
    order = None
    if row.top_p < 1 or row.top_k:
        probabilities, order = probabilities.sort(descending=True, stable=True)
        if row.top_k:
            probabilities[row.top_k :] = 0
            probabilities /= probabilities.sum()
        before = probabilities.cumsum(-1) - probabilities
        probabilities[(before >= row.top_p) & (before > 0)] = 0
    sums = probabilities.cumsum(-1)
    place = torch.rand(1, generator=draws, dtype=torch.float64) * sums[-1]
    at = min(int(torch.searchsorted(sums, place, right=True)), len(sums) - 1)
    return int(order[at]) if order is not None else at


def token_logprobs(logits: Any, tokens: Sequence[int], top: int) -> list[TokenLogprob]:
    """Of a token for each row of (N, V) logits, with `top` of the likeliest."""
    import torch

    sums = torch.logsumexp(logits, -1, keepdim=True)  # (N, 1)
    wanted = torch.tensor(tokens, device=logits.device)[:, None]
    chosen = (logits.gather(-1, wanted) - sums)[:, 0].double().tolist()
    best, ids = logits.topk(min(top, logits.shape[-1]), -1)
    likeliest = (best - sums).double().tolist()
    return [
        TokenLogprob(token, logprob, tuple(zip(names, values, strict=True)))
        for token, logprob, names, values in zip(
            tokens, chosen, ids.tolist(), likeliest, strict=True
        )
    ]
