"""Models on a device that may be somebody else's for now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inference.engine import Engine
from inference.pool import ModelPool
from inference.protocol import Classifier, DType, Encoder, LabelClassifier, LanguageModel


class DevicePool(ModelPool):
    """Calls `enter` before it hands out a model; that may wait, or raise Cancelled."""

    def __init__(self, enter: Callable[[], None], **settings: Any) -> None:
        super().__init__(**settings)
        self.enter = enter

    def language(self, name: str, dtype: DType = "float32") -> LanguageModel:
        """As the pool's own, once the device is ours."""
        self.enter()
        return super().language(name, dtype)

    def engine(self, name: str, dtype: DType = "float32") -> Engine:
        """As the pool's own, once the device is ours."""
        self.enter()
        return super().engine(name, dtype)

    def encoder(
        self, name: str, dtype: DType = "float32", add_prefix_space: bool = False
    ) -> Encoder:
        """As the pool's own, once the device is ours."""
        self.enter()
        return super().encoder(name, dtype, add_prefix_space)

    def classifier(self, name: str, dtype: DType = "float32") -> Classifier:
        """As the pool's own, once the device is ours."""
        self.enter()
        return super().classifier(name, dtype)

    def labels(self, name: str, dtype: DType = "float32") -> LabelClassifier:
        """As the pool's own, once the device is ours."""
        self.enter()
        return super().labels(name, dtype)
