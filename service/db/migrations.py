"""The schema brought to its newest revision, by Alembic."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import URL

from service.db.engine import MIGRATIONS, normalize


def migrate(url: str | URL) -> None:
    """Bring the schema to head. Safe to call from several processes at once."""
    command.upgrade(configuration(url), "head")


def configuration(url: str | URL) -> Config:
    """What Alembic's commands take, for the database at `url`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["url"] = normalize(url)
    return config
