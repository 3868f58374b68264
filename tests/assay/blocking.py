"""Both clients behind one face, so that one test serves both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from assay import AsyncClient, Client

KINDS = ("sync", "async")
END = object()


@contextmanager
def client_of(kind: str, url: str, **settings: Any) -> Iterator[Client]:
    """A Client, or an AsyncClient that is called as one."""
    if kind == "sync":
        with Client(url, **settings) as client:
            yield client
        return
    with asyncio.Runner() as runner:
        blocking = cast(Client, Blocking(AsyncClient(url, **settings), runner))
        yield blocking
        blocking.close()


class Blocking:
    """The methods of an AsyncClient without `await`; iterators are plain ones."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """The method called `name`."""
        method = getattr(self._client, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            answer = method(*args, **kwargs)
            if isinstance(answer, AsyncGenerator):
                return self._items(answer)
            return self._runner.run(answer)

        return called

    def _items(self, source: AsyncGenerator[Any, None]) -> Iterator[Any]:
        async def following() -> Any:
            return await anext(source, END)

        try:
            while (item := self._runner.run(following())) is not END:
                yield item
        finally:
            self._runner.run(_close(source))


async def _close(source: AsyncGenerator[Any, None]) -> None:
    await source.aclose()
