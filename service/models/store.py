"""Where a model lies: the one answer for every name, checkpoints of training jobs included.

`inference.names` lists the kinds of names. Nothing is loaded or downloaded here, so the API asks
too. The files of a checkpoint may lie on another machine: its row in the database names the folder,
below whatever the data folder is called there.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, select

from inference import kinds, names
from inference.errors import ReportedError
from inference.identity import identify
from inference.kinds import ModelKind
from inference.names import BUILTIN, CHECKPOINT, Location
from inference.protocol import Identity
from metrics.core.names import hint
from service.db.tables import checkpoints
from service.errors import invalid
from service.models import registered
from service.settings import Settings

BEHIND_URL = (
    "{!r} is behind a URL: {} is needed whose weights are here, as a folder, a checkpoint or a "
    "builtin one{}"
)
AS_URL = {"chat", "likelihood", "embedding"}  # kinds that a registered model may be
NEEDED = {
    None: ("a model", ""),
    "language": ("a language model", ""),
    "classifier": (
        "a reward model",
        "; `judge` takes rewards of a model that is chatted with, `remote` of any URL",
    ),
    "labels": ("a sequence classifier with labels", ""),
    "answers": ("a question answering model", ""),
    "seq2seq": ("an encoder-decoder", ""),
    "encoder": (
        "an encoder",
        ", since the state of every token is read: a URL gives whole texts' embeddings alone",
    ),
}


def locate(db: Connection, settings: Settings, name: str) -> Location:
    """The folder, GGUF file or hub id of the model called `name`. Raises UnknownModel."""
    return names.locate(
        name,
        settings.model_roots,
        partial(checkpoint_folder, db, settings),
        offline=not settings.hub_allowed,
    )


def checkpoint_folder(db: Connection, settings: Settings, id: str) -> Path | None:
    """The folder of a complete checkpoint; None where there is none, or it was deleted."""
    folder = db.scalar(
        select(checkpoints.c.folder).where(checkpoints.c.id == id, checkpoints.c.deleted.is_(False))
    )
    return settings.data_dir / folder if folder is not None else None


def checkpoint_folders(
    db: Connection, settings: Settings, models: Iterable[str]
) -> dict[str, Path]:
    """Folders of those of the `models` that are complete checkpoints, by name."""
    named = [name for name in models if name.startswith(CHECKPOINT)]
    folders = {name: checkpoint_folder(db, settings, name) for name in named}
    return {name: folder for name, folder in folders.items() if folder is not None}


def require(
    db: Connection, settings: Settings, name: str, param: str, kind: ModelKind | None = None
) -> None:
    """Raise 422 where a model cannot be found, may not be loaded from where it is, or is not of the
    `kind`.

    A checkpoint is known when its row is, whether or not its files are on this machine. A
    registered model is right where one is to be chatted with, reads texts, or embeds them.
    """
    if registered.find(db, name) is not None:
        if kind not in AS_URL:
            raise invalid("wrong_model_kind", BEHIND_URL.format(name, *NEEDED[kind]), param)
        return
    if name.startswith(CHECKPOINT):
        folder = checkpoint_folder(db, settings, name)
        if folder is not None and not folder.is_dir():
            return
    try:
        location = locate(db, settings, name)
    except ReportedError as error:
        behind_urls = [row.name for row in registered.every(db)]
        nearest = f". Behind URLs: {hint(name, behind_urls)}" if behind_urls else ""
        raise invalid(error.code, error.message + nearest, param) from None
    fault = kinds.fault(location, kind) if kind is not None else None
    if fault is not None:
        raise invalid("wrong_model_kind", fault, param)


def weights(db: Connection, settings: Settings, name: str) -> Path | None:
    """The folder with `config.json` and the weights, of the base model where `name` is an adapter.

    None where they are yet to be downloaded or converted. Raises UnknownModel.
    """
    location = locate(db, settings, name)
    while location.base is not None:
        location = location.base
    return location.folder or _converted(location, settings)


def digest(db: Connection, settings: Settings, name: str) -> str | None:
    """Of the model's files as they are now; None where they are not on this machine."""
    with suppress(ReportedError, OSError):  # files may change meanwhile
        found = _identified(locate(db, settings, name))
        return found.digest if found is not None else None
    return None


def _identified(location: Location) -> Identity | None:
    base = _identified(location.base) if location.base is not None else None
    lacks_base = location.base is not None and base is None
    if lacks_base or (location.gguf is None and location.folder is None):
        return None
    return identify(location, location.folder, base)


def at_hand(db: Connection, settings: Settings) -> list[tuple[str, str]]:
    """(name, origin) of the models that need no download: `builtin` ones whose package is
    installed, `root` ones, which are folders directly under an allowed root, `checkpoint` ones,
    newest first, and `registered` ones."""
    candidates = [(name, "builtin") for name in BUILTIN]
    for root in settings.model_roots:
        configs = sorted(root.glob("*/config.json"))
        candidates += [(config.parent.name, "root") for config in configs]
    here = [(name, origin) for name, origin in candidates if lies_here(settings, name)]
    there = select(checkpoints.c.id).where(checkpoints.c.deleted.is_(False))
    stored = db.scalars(there.order_by(checkpoints.c.id.desc()))
    behind_urls = [row.name for row in registered.every(db)]
    return (
        [(name, origin) for name, origin in here if name not in behind_urls]
        + [(id, "checkpoint") for id in stored]
        + [(name, "registered") for name in behind_urls]
    )


def usable(db: Connection, settings: Settings, name: str) -> str | None:
    """The origin of the model called `name`; None where no such model needs no download."""
    for known, origin in at_hand(db, settings):
        if known == name:
            return origin
    return None


def lies_here(settings: Settings, name: str) -> bool:
    """Whether it is a builtin model, a folder or one in the hub's cache, and can be loaded."""
    try:
        names.locate(name, settings.model_roots)
    except ReportedError:
        return False
    return True


def _converted(location: Location, settings: Settings) -> Path | None:
    """Where a GGUF file was converted to, if it was."""
    if location.gguf is None:
        return None
    configs = (settings.data_dir / "models").glob(f"{location.gguf.stem.lower()}-*/config.json")
    return next((config.parent for config in sorted(configs)), None)
