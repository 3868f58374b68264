"""Models behind URLs by their names, with the connections to them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inference.remote.embeddings import RemoteEmbeddings
    from inference.remote.hooks import Replies, Slots
    from inference.remote.likelihood import RemoteLikelihood
    from inference.remote.loop import LoopThread
    from inference.remote.registered import Registered, Registry
    from inference.remote.remote_chat import RemoteChat


class BehindUrls:
    """A client for each registered model, made when it is first asked for; None for all others."""

    def __init__(
        self, registered: Registry | None, replies: Replies | None, slots: Slots | None
    ) -> None:
        self._registered = registered
        self._replies = replies
        self._slots = slots
        self._lock = threading.RLock()
        self._chats: dict[str, RemoteChat] = {}  # by name
        self._likelihoods: dict[str, RemoteLikelihood] = {}
        self._loop: LoopThread | None = None  # of all of them

    def find(self, name: str) -> Registered | None:
        """What is registered by this name."""
        return self._registered(name) if self._registered else None

    def chat(self, name: str) -> RemoteChat | None:
        """What answers conversations."""
        found = self.find(name)
        return self._client(found) if found is not None else None

    def likelihood(self, name: str) -> RemoteLikelihood | None:
        """What tells how likely texts are."""
        from inference.remote.likelihood import RemoteLikelihood

        with self._lock:
            chat, known = self.chat(name), self._likelihoods.get(name)
            if chat is None:
                return None
            if known is None or known.chat is not chat:
                known = self._likelihoods[name] = RemoteLikelihood(chat)
            return known

    def embeddings(self, name: str) -> RemoteEmbeddings | None:
        """What embeds whole texts."""
        from inference.remote.embeddings import RemoteEmbeddings

        chat = self.chat(name)
        return RemoteEmbeddings(chat) if chat is not None else None

    def _client(self, registered: Registered) -> RemoteChat:
        """With its open connections unless the registration was changed."""
        from inference.remote.hooks import MemoryReplies, MemorySlots
        from inference.remote.loop import LoopThread
        from inference.remote.remote_chat import RemoteChat

        with self._lock:
            known = self._chats.get(registered.name)
            if known is not None and known.model == registered:
                return known
            if known is not None:
                known.close()
            self._slots = self._slots or MemorySlots()
            self._replies = self._replies or MemoryReplies()
            self._loop = self._loop or LoopThread()
            made = RemoteChat(registered, self._loop, self._slots, self._replies)
            self._chats[registered.name] = made
            return made
