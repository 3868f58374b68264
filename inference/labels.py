"""How likely labels are as the beginning of an answer: the conversation is read once for all."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.batching import plan_by_length
from inference.errors import InputError
from inference.load import padded

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

BATCH_ROWS = 128
CACHED_TOKENS = 16_384  # of all labels of a batch, with what stands before them

Ids = Sequence[list[int]]
Floats = NDArray[np.float64]


def label_logprobs(language: TransformerLanguageModel, contexts: Ids, labels: Ids) -> Floats:
    """(n_contexts, n_labels) natural-log probabilities of each label's tokens after each context.

    Labels of one token need one pass over the contexts; longer ones, a second pass over themselves.
    Equal to `language.logprobs` within rounding. Raises InputError for what is too long.
    """
    longest = max((len(label) for label in labels), default=1)
    for context in contexts:
        if len(context) + longest - 1 > language.max_length:
            raise InputError(
                f"{len(context) + longest - 1} tokens, and {language.identity.name!r} sees "
                f"{language.max_length} at most"
            )
    if longest == 1:
        return _of_one_token(language, contexts, labels)
    if language.shares is None:
        language.shares = _tried(language)
    return (_together if language.shares else one_by_one)(language, contexts, labels)


def one_by_one(language: TransformerLanguageModel, contexts: Ids, labels: Ids) -> Floats:
    """The same with each context read once for each label."""
    pairs = [(context, label) for context in contexts for label in labels]
    found = np.zeros(len(pairs))
    lengths = [len(context) + len(label) for context, label in pairs]
    for batch in plan_by_length(lengths, language.tokens_per_pass, BATCH_ROWS):
        logprobs = language.logprobs([pairs[at] for at in batch])
        found[batch] = [one.sum() for one in logprobs]
    return found.reshape(len(contexts), len(labels))


def _of_one_token(language: TransformerLanguageModel, contexts: Ids, labels: Ids) -> Floats:
    import torch

    found = np.zeros((len(contexts), len(labels)))
    lengths = [len(context) for context in contexts]
    tokens = [label[0] for label in labels]
    for batch in plan_by_length(lengths, language.tokens_per_pass, BATCH_ROWS):
        rows = [contexts[at] for at in batch]
        ids, mask = padded(rows, language.pad_id, left=False, device=language.device)  # (B, T)
        places = (torch.arange(len(rows), device=ids.device), mask.sum(-1) - 1)
        with torch.inference_mode():
            parts = [_chosen(one, tokens) for one in language.pieces(ids, mask, places)]
        found[batch] = np.concatenate(parts)
    return found


def _together(language: TransformerLanguageModel, contexts: Ids, labels: Ids) -> Floats:
    """By the keys and values of each context, taken again for each label that is longer."""
    found = np.zeros((len(contexts), len(labels)))
    longer = [at for at, label in enumerate(labels) if len(label) > 1]
    lengths = [len(context) + max(map(len, labels)) for context in contexts]
    most = min(language.tokens_per_pass, CACHED_TOKENS // len(longer))
    for batch in plan_by_length(lengths, max(most, 1), max(BATCH_ROWS // len(longer), 1)):
        first, rest = _pass(language, [contexts[at] for at in batch], labels, longer)
        found[batch] = first
        found[np.ix_(batch, longer)] += rest
    return found


def _pass(
    language: TransformerLanguageModel, rows: Ids, labels: Ids, longer: Sequence[int]
) -> tuple[Floats, Floats]:
    """(B, n_labels) of the labels' first tokens, (B, len(longer)) of what follows in longer ones.

    Left-padded, so that all contexts end, and all labels begin, in the same place.
    """
    import torch

    ids, mask = padded(rows, language.pad_id, left=True, device=language.device)  # (B, T)
    read = [labels[at][:-1] for at in longer]
    wanted = [labels[at][1:] for at in longer]
    with torch.inference_mode():
        out = _forward(language, ids, mask, None, keep=1)
        first = _chosen(out.logits[:, -1], [label[0] for label in labels])
        out.past_key_values.batch_repeat_interleave(len(longer))
        suffix, seen = padded(read * len(rows), language.pad_id, False, language.device)  # (N, S)
        seen = torch.cat([mask.repeat_interleave(len(longer), 0), seen], 1)  # (N, T + S)
        logits = _forward(language, suffix, seen, out.past_key_values).logits.float()  # (N, S, V)
        targets, real = padded(wanted * len(rows), 0, left=False, device=language.device)
        chosen = logits.gather(-1, targets[..., None])[..., 0] - logits.logsumexp(-1)
        rest = (chosen.double() * real).sum(-1)  # (N,)
    return first, rest.reshape(len(rows), len(longer)).cpu().numpy()


def _forward(
    language: TransformerLanguageModel, ids: Any, mask: Any, cache: Any, keep: int = 0
) -> Any:
    accepted = inspect.signature(language.model.forward).parameters
    more: dict[str, Any] = {}
    if "position_ids" in accepted:  # the first real token of a row is at 0, whatever its padding
        more["position_ids"] = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
    if "logits_to_keep" in accepted:
        more["logits_to_keep"] = keep
    return language.model(ids, attention_mask=mask, past_key_values=cache, use_cache=True, **more)


def _chosen(logits: Any, tokens: Sequence[int]) -> Floats:
    """(B, n_tokens) log-probabilities, from (B, V) logits."""
    scores = logits.float()
    found = scores[:, list(tokens)] - scores.logsumexp(-1, keepdim=True)
    return np.asarray(found.double().cpu().numpy(), np.float64)


def _keeps_keys(language: TransformerLanguageModel, contexts: Ids) -> bool:
    """Whether it keeps the keys and values of each token in every layer; recurrent ones keep a
    state, which may begin anew without a word."""
    import torch
    from transformers.cache_utils import DynamicCache, DynamicLayer

    if "past_key_values" not in inspect.signature(language.model.forward).parameters:
        return False
    ids, mask = padded(contexts, language.pad_id, left=True, device=language.device)
    with torch.inference_mode():
        cache = language.model(ids, attention_mask=mask, use_cache=True).get("past_key_values")
    return isinstance(cache, DynamicCache) and all(
        isinstance(layer, DynamicLayer) for layer in cache.layers
    )


def _tried(language: TransformerLanguageModel) -> bool:
    """Whether this model goes on from what it has read, several tokens at once: what its cache is
    made of tells, and then its numbers. An error of the machine, as no memory, is raised."""
    import torch

    contexts, labels = [[1, 2, 3, 4, 5, 6], [7, 8, 9]], [[1, 2, 3], [4, 5], [6]]
    if not _keeps_keys(language, contexts[:1]):
        return False
    found = _together(language, contexts, labels)
    tolerance = 1e-4 if language.model.dtype == torch.float32 else 5e-2
    return np.allclose(found, one_by_one(language, contexts, labels), tolerance, tolerance)
