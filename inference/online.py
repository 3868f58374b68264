"""A small network that learns bytes as it goes: what each costs before it was learnt from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

END = 256  # behind each text, and before it in its contexts
SYMBOLS = 257

Symbols = NDArray[np.int64]


def code_lengths(
    texts: list[bytes], context: int, width: int, first: int, growth: float, epochs: int, seed: int
) -> list[NDArray[np.float64]]:
    """Bits of each text's bytes and of its end, in order, by what was learnt from those before.

    context  bytes that the network sees before the one that it predicts, of the same text
    width    of its hidden layer
    first    symbols of the first block, which an untrained network codes: log2(257) bits each
    growth   of what has been seen from block to block
    epochs   over all that was seen, after each block

    Bengio et al.'s network (2003): embeddings of the context, a hidden layer, a softmax whose
    weights begin at nothing, so that it begins uniform; Adam, batches of 128, everything by `seed`.
    """
    import torch

    if not texts:
        return []
    contexts, targets = windows(texts, context)
    seen, wanted = torch.from_numpy(contexts), torch.from_numpy(targets)
    draw = torch.Generator().manual_seed(seed)
    network = _network(context, width, draw)
    learn = torch.optim.Adam(network.parameters(), lr=3e-3)
    bits = np.zeros(len(targets))
    begun, ended = 0, min(first, len(targets))
    while begun < ended:
        with torch.inference_mode():
            for part in torch.arange(begun, ended).split(4096):
                logs = torch.log_softmax(network(seen[part]).double(), -1)
                found = logs.gather(1, wanted[part][:, None])[:, 0]
                bits[part.numpy()] = found.numpy() / -np.log(2)
        if ended < len(targets):
            for _ in range(epochs):
                for batch in torch.randperm(ended, generator=draw).split(128):
                    learn.zero_grad()
                    torch.nn.functional.cross_entropy(
                        network(seen[batch]), wanted[batch]
                    ).backward()
                    learn.step()
        begun, ended = ended, min(max(int(ended * growth), ended + 1), len(targets))
    return np.split(bits, np.cumsum([len(text) + 1 for text in texts])[:-1])


def windows(texts: list[bytes], context: int) -> tuple[Symbols, Symbols]:
    """(N, context) what stands before each symbol, in its text; (N,) the symbols, ends included."""
    before, symbols = [], []
    for text in texts:
        own = np.concatenate([np.full(context, END), np.frombuffer(text, np.uint8), [END]])
        views = np.lib.stride_tricks.sliding_window_view(own, context + 1)
        before.append(views[:, :-1])
        symbols.append(views[:, -1])
    return np.concatenate(before).astype(np.int64), np.concatenate(symbols).astype(np.int64)


def _network(context: int, width: int, draw: Any) -> Any:
    """(B, context) symbols to (B, 257) logits, at first all zero."""
    import torch

    sizes = {0: (SYMBOLS, 16), 2: (width, 16 * context), 4: (SYMBOLS, width)}
    network = torch.nn.Sequential(
        torch.nn.Embedding(*sizes[0]),
        torch.nn.Flatten(),
        torch.nn.Linear(16 * context, width),
        torch.nn.ReLU(),
        torch.nn.Linear(width, SYMBOLS),
    )
    scales = {0: 1.0, 2: (2 / (16 * context)) ** 0.5, 4: 0.0}
    with torch.no_grad():
        for at, size in sizes.items():
            layer: Any = network[at]
            layer.weight.copy_(torch.randn(size, generator=draw) * scales[at])
            if at:
                layer.bias.zero_()
    return network
