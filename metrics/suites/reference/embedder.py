"""What metrics of sentence-transformers have in common."""

from __future__ import annotations

from typing import Any

from metrics.suites.reference.frame import model


def embedder(name: str) -> Any:
    """The encoder, with the mean over tokens."""
    from sentence_transformers import SentenceTransformer, models  # type: ignore[attr-defined]

    encoder = models.Transformer(model(name))
    pooling = models.Pooling(encoder.get_embedding_dimension(), pooling_mode="mean")
    return SentenceTransformer(modules=[encoder, pooling])
