"""Small networks that learn bytes as they go: what each costs before it was learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

END = 256  # behind each text, and before it in its contexts
SYMBOLS = 257
BATCH = 128
AT_ONCE = 4096  # symbols that are coded, of all networks
EMBEDDING = 16

Symbols = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Code:
    """What R networks pay for the N symbols of all texts, which stand in the texts' order.

    bits    (R, N)
    blocks  (R, N) number of the block that the network read it in, from 0
    """

    bits: NDArray[np.float64]
    blocks: Symbols


def code_lengths(
    texts: list[bytes],
    context: int,
    width: int,
    first: int,
    growth: float,
    epochs: int,
    seed: int,
    repeats: int = 1,
) -> Code:
    """Bits of each text's bytes and of its end, by what was learnt from those read before.

    context  bytes that a network sees before the one that it predicts, of the same text
    width    of its hidden layer
    first    symbols of the first block, which an untrained network codes: log2(257) bits each
    growth   of what has been seen from block to block
    epochs   over all that was seen, after each block
    repeats  networks that begin alike, as `seed` has it. The first reads the texts in their order,
             the others in orders of their own, and each draws batches of its own

    Bengio et al.'s network (2003): embeddings of the context, a hidden layer, a softmax whose
    weights begin at nothing, so that it begins uniform; Adam, batches of 128.
    """
    import torch

    if not texts:
        return Code(np.zeros((repeats, 0)), np.zeros((repeats, 0), np.int64))
    contexts, targets = windows(texts, context)
    count = len(targets)
    bits, blocks = np.zeros((repeats, count)), np.zeros((repeats, count), np.int64)
    seen, wanted = torch.from_numpy(contexts), torch.from_numpy(targets)
    draws = [torch.Generator().manual_seed(seed + at) for at in range(repeats)]
    networks = _Networks(context, width, draws[0], repeats)
    places = torch.from_numpy(_places(texts, draws))  # (R, N) of the symbols, as they are read
    block, begun, ended = 0, 0, min(first, count)
    while begun < ended:
        for part in places[:, begun:ended].split(max(1, AT_ONCE // repeats), 1):
            np.put_along_axis(bits, part.numpy(), networks.bits(seen[part], wanted[part]), 1)
            np.put_along_axis(blocks, part.numpy(), block, 1)
        for _ in range(epochs if ended < count else 0):
            orders = torch.stack([torch.randperm(ended, generator=draw) for draw in draws])
            for batch in places.gather(1, orders).split(BATCH, 1):
                networks.learn(seen[batch], wanted[batch])
        block, begun, ended = block + 1, ended, min(max(int(ended * growth), ended + 1), count)
    return Code(bits, blocks)


def windows(texts: list[bytes], context: int) -> tuple[Symbols, Symbols]:
    """(N, context) what stands before each symbol, in its text; (N,) the symbols, ends included."""
    before, symbols = [], []
    for text in texts:
        own = np.concatenate([np.full(context, END), np.frombuffer(text, np.uint8), [END]])
        views = np.lib.stride_tricks.sliding_window_view(own, context + 1)
        before.append(views[:, :-1])
        symbols.append(views[:, -1])
    return np.concatenate(before).astype(np.int64), np.concatenate(symbols).astype(np.int64)


def _places(texts: list[bytes], draws: list[Any]) -> Symbols:
    """(R, N) where the symbols stand that each network reads one after the other."""
    import torch

    sizes = np.array([len(text) + 1 for text in texts], np.int64)
    symbols = np.split(np.arange(sizes.sum()), np.cumsum(sizes)[:-1])
    orders = [torch.randperm(len(texts), generator=draw).tolist() for draw in draws[1:]]
    orders = [list(range(len(texts))), *orders]
    return np.stack([np.concatenate([symbols[at] for at in order]) for order in orders])


class _Networks:
    """R networks that begin alike, each of which sees symbols of its own."""

    def __init__(self, context: int, width: int, draw: Any, repeats: int) -> None:
        import torch

        inputs = EMBEDDING * context
        table = torch.randn((SYMBOLS, EMBEDDING), generator=draw)
        hidden = torch.randn((width, inputs), generator=draw) * (2 / inputs) ** 0.5
        weights = [
            table.repeat(repeats, 1),
            hidden.T.repeat(repeats, 1, 1),
            torch.zeros((repeats, 1, width)),
            torch.zeros((repeats, width, SYMBOLS)),
            torch.zeros((repeats, 1, SYMBOLS)),
        ]
        self._weights = [one.requires_grad_() for one in weights]
        self._optimizer = torch.optim.Adam(self._weights, lr=3e-3, fused=True)

    def bits(self, seen: Any, wanted: Any) -> NDArray[np.float64]:
        """(R, B) of symbols `wanted` (R, B) behind those `seen` (R, B, context)."""
        import torch

        with torch.inference_mode():
            logs = torch.log_softmax(self._logits(seen).double(), -1)
            found = logs.gather(2, wanted[..., None])[..., 0].numpy()
        return np.asarray(found / -np.log(2), np.float64)

    def learn(self, seen: Any, wanted: Any) -> None:
        """One step of each."""
        import torch

        self._optimizer.zero_grad()
        logits = self._logits(seen).flatten(0, 1)
        mean = torch.nn.functional.cross_entropy(logits, wanted.flatten())
        (mean * len(seen)).backward()  # the sum of the networks' own means
        self._optimizer.step()

    def _logits(self, seen: Any) -> Any:
        """(R, B, context) symbols -> (R, B, 257)."""
        import torch

        table, hidden, hidden_bias, softmax, softmax_bias = self._weights
        own = SYMBOLS * torch.arange(len(seen))[:, None, None]
        inputs = torch.nn.functional.embedding(seen + own, table).flatten(2)
        inner = torch.relu(torch.baddbmm(hidden_bias, inputs, hidden))
        return torch.baddbmm(softmax_bias, inner, softmax)
