"""Keys of registered models: encrypted in the database, by a key file in the data folder.

Whoever has the database alone, or a copy of it, reads no key.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from inference.remote.errors import EndpointError
from service.settings import Settings

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

FILE = "models.key"


class KeyMissing(EndpointError):
    """The key of a registered model cannot be had in this process."""

    code = "key_missing"


def sealed(settings: Settings, key: SecretStr) -> bytes:
    """The key as it is stored. Makes the key file where there is none yet."""
    return _fernet(_made(settings.data_dir / FILE)).encrypt(key.get_secret_value().encode())


def opened(
    settings: Settings, name: str, stored: bytes | None, env: str | None
) -> SecretStr | None:
    """The key of the model called `name`; None where it has none. Raises KeyMissing."""
    from cryptography.fernet import InvalidToken

    if env is not None:
        value = os.environ.get(env, "").strip()
        if not value:
            message = f"the key of {name!r} is to be in the environment variable {env}, which is"
            raise KeyMissing(f"{message} not set in this process", "api_key_env")
        return SecretStr(value)
    if stored is None:
        return None
    try:
        fernet = _fernet((settings.data_dir / FILE).read_bytes())
        return SecretStr(fernet.decrypt(stored).decode())
    except (OSError, ValueError, InvalidToken):
        raise KeyMissing(
            f"the key of {name!r} cannot be read: {FILE} in the data folder is not the file that "
            "it was encrypted with. Give the key again: PATCH its `api_key`",
            "api_key",
        ) from None


def _made(path: Path) -> bytes:
    """The content of the key file, mode 0600. Of several processes that make it, one wins."""
    from cryptography.fernet import Fernet

    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        mine = path.with_name(f"{FILE}.{os.getpid()}.new")
        descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(mine, path)  # whole at once, and never over another's
        except FileExistsError:
            pass
        finally:
            mine.unlink()
    return path.read_bytes()


def _fernet(secret: bytes) -> Fernet:
    from cryptography.fernet import Fernet

    return Fernet(secret)
