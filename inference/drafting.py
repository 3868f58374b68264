"""Modules for tokens further ahead (multi-token prediction), and how well they draft for their own
model. Their weights lie in its checkpoint, and are loaded when they are first asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from inference.batching import plan_by_length
from inference.errors import InputError
from inference.load import padded

if TYPE_CHECKING:
    from inference.language import TransformerLanguageModel

BATCH_ROWS, CHUNK_LOGITS = 64, 1 << 24  # two tables of logits stand in memory at once
COLUMNS = 5  # of `looked_ahead`


def looked_ahead(
    language: TransformerLanguageModel, rows: Sequence[list[int]], depth: int
) -> NDArray[np.float64]:
    """(rows, depth + 1, 5) sums over each row's tokens but the first, for each distance.

    At distance k, of module k, which has not seen the k tokens before the one that it predicts
    (0: the model itself, which has): negative log-likelihoods in nats, tokens; at how many places
    its likeliest token is the model's, the sum of the probabilities min(p, q) that both give, and
    at how many places all modules up to k have drafted the model's.
    """
    import torch

    modules = _modules(language, depth)
    found = np.zeros((len(rows), depth + 1, COLUMNS))
    for batch in plan_by_length(list(map(len, rows)), language.tokens_per_pass, BATCH_ROWS):
        some = [rows[at] for at in batch]
        ids, mask = padded(some, language.pad_id, False, language.device)  # (B, T)
        with torch.inference_mode():
            own = language.model.base_model(ids, attention_mask=mask, use_cache=False)[0]
            state, chain = own, mask.bool()
            for distance in range(min(depth + 1, ids.shape[1] - 1)):
                if distance:  # right of each text is padding alone, and no place looks to its right
                    places = torch.arange(distance, ids.shape[1], device=ids.device)[None]
                    state = modules.forward_layer(
                        distance - 1, state[:, :-1], places, None, input_ids=ids[:, distance:]
                    )
                real = mask[:, distance + 1 :].bool()  # (B, T - 1 - k)
                states = own[:, distance:-1][real], state[:, :-1][real]
                values = _compared(language, *states, ids[:, distance + 1 :][real])  # (n, 4)
                table = values.new_zeros((*real.shape, COLUMNS))
                table[real] = torch.nn.functional.pad(values, (0, 1))
                chain = chain[:, : real.shape[1]] & (table[..., 2] > 0)
                table[..., 4] = chain
                found[batch, distance] = table.sum(1).cpu().numpy()
    return found


def _compared(language: TransformerLanguageModel, own: Any, ahead: Any, targets: Any) -> Any:
    """(n, 4) of a module's states (n, D) beside the model's own at the same targets (n,)."""
    import torch

    size = max(CHUNK_LOGITS // int(language.model.config.get_text_config().vocab_size), 1)
    parts = [torch.zeros((0, 4), dtype=torch.float64, device=targets.device)]
    for states in zip(own.split(size), ahead.split(size), targets.split(size), strict=True):
        p, q = (torch.log_softmax(language.logits(one).float(), -1) for one in states[:2])
        nll = -q.gather(-1, states[2][:, None])[:, 0]
        agrees = p.argmax(-1) == q.argmax(-1)
        both = torch.minimum(p, q).exp().sum(-1)
        parts.append(torch.stack([nll, torch.ones_like(nll), agrees, both], -1).double())
    return torch.cat(parts)


def _modules(language: TransformerLanguageModel, depth: int) -> Any:
    """transformers' own, kept beside the model. Raises InputError where there are too few."""
    from transformers.modeling_layers import MtpModel

    model, name = language.model, language.identity.name
    config = model.config.get_text_config()
    count = int(getattr(config, "num_mtp_layers", None) or 0)
    if count < depth or not language.splits:
        message = f"{name!r} has {count} modules for tokens further ahead"
        raise InputError(message, "params.depth" if count else "params.model")
    if language.drafting is None:
        load: Any = MtpModel.from_pretrained
        layers = range(config.num_hidden_layers, config.num_hidden_layers + count)
        patterns = {rf"model\.layers\.{at}\." for at in layers}  # else of the published size alone
        known = set(model._keys_to_ignore_on_load_unexpected or ())
        model._keys_to_ignore_on_load_unexpected = sorted(known | patterns)
        try:
            made = load(model, device_map={"": language.device})
        except (ValueError, RuntimeError, OSError) as error:
            message = f"cannot load what {name!r} looks further ahead with: {error}"
            raise InputError(message, "params.model") from error
        language.drafting = made.to(language.device).eval()
    return language.drafting
