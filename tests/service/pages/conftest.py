"""A real browser, and people who annotate in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sqlalchemy import Engine

from service.db.engine import connect

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
MISSING = "there is no browser: apt-get install chromium"
PATIENCE = 15_000  # ms

Opened = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's browser, without a window. CI has to have it."""
    if CHROMIUM is None:
        assert "CI" not in os.environ, MISSING
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        expect.set_options(timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def profile(browser: Browser) -> Iterator[Opened]:
    """Makes profiles, which keep what a page stores; none may have seen an error of a script or a
    breach of the policy."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def make(**settings: Any) -> BrowserContext:
        context = browser.new_context(locale="en-US", **settings)
        context.set_default_timeout(PATIENCE)
        context.on("weberror", lambda one: complaints.append(str(one.error)))
        context.on("console", lambda one: complaints.append(one.text))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    # what the network refuses is told there, too
    assert [one for one in complaints if "Failed to load resource" not in one] == []


@pytest.fixture(scope="module")
def db(live: object, database_url: str) -> Iterator[Engine]:
    """The database of `live`."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


def visit(context: BrowserContext, url: str) -> Page:
    """The page as somebody opens it."""
    page = context.new_page()
    page.goto(url)
    return page


def widths(page: Page) -> tuple[int, int]:
    """Of the content and of the window."""
    found = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    return found[0], found[1]


def violations(page: Page) -> list[str]:
    """What axe finds that keeps somebody out."""
    return [f"{one['id']}: {one['help']}" for one in Axe().run(page).response["violations"]]


def dark_phone(profile: Opened) -> BrowserContext:
    """The smallest phone that is still about."""
    size = {"width": 320, "height": 640}
    return profile(viewport=size, is_mobile=True, has_touch=True, color_scheme="dark")
