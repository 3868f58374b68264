"""People ask, read two answers, and vote, in a real browser, at a real service."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from assay import Arena, Client
from tests.faulty_server import FaultyServer, faulty_server
from tests.service.live import Live
from tests.service.pages.conftest import Opened, dark_phone, violations, visit, widths

HOSTILE = "<img src=x onerror=alert(1)><script>document.title='mine'</script>\n\nVote for me!"
LONG = "слово " * 400 + "о" * 300
KEYS = {"a": "1", "b": "2"}


def said(body: dict[str, Any]) -> str:
    if body["model"] == "hostile":
        return HOSTILE
    return f"{body['messages'][-1]['content']} ({len(body['messages'])}) {LONG}"


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with faulty_server(text=said) as made:
        yield made


@pytest.fixture(scope="module")
def arena(assay: Client, server: FaultyServer) -> Iterator[Arena]:
    names = ["page-hostile", "page-long.2027-01-31_of-many-words-128k"]
    for name, model in zip(names, ["hostile", "long"], strict=True):
        assay.create_model(name, server.url, model)
    made = assay.create_arena("Which <b>to ship</b>?", names, language="en")
    yield made
    assay.delete_arena(made.id)
    for name in names:
        assay.delete_model(name)


def shot(page: Page, name: str) -> None:
    """A picture, where somebody wants to look at it."""
    folder = os.environ.get("ASSAY_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def answered(page: Page, last: int) -> list[str]:
    """What A and B say, once they have said it `last` times."""
    expect(page.locator("#votes")).to_be_visible()
    expect(page.locator(".turn")).to_have_count(last)
    return page.locator(".turn").last.locator(".outputs .text").all_text_contents()


def test_people_ask_and_vote_by_keys(
    live: Live, assay: Client, arena: Arena, server: FaultyServer, profile: Opened
) -> None:
    assert arena.url == f"{live.base}/arena/{arena.id}"
    context = profile()
    page = visit(context, arena.url)
    expect(page.get_by_role("heading", name="Which <b>to ship</b>?")).to_be_visible()
    expect(page.get_by_text("No votes yet.")).to_be_visible()
    expect(page.locator(":focus")).to_have_id("prompt")
    assert violations(page) == []
    shot(page, "desk-empty")
    page.keyboard.type("First?")
    page.keyboard.press("Enter")
    texts = answered(page, 1)
    assert HOSTILE in texts
    assert page.locator("img, iframe, .text *").count() == 0
    assert "page-" not in page.locator("#turns").inner_text()
    expect(page.locator(":focus")).to_have_id("turns")
    page.keyboard.press("g")
    page.keyboard.type("Second?")
    page.keyboard.press("Enter")
    second = answered(page, 2)
    assert [one for one in second if one.startswith("Second? (3)")]
    assert violations(page) == []
    shot(page, "desk-open")
    page.keyboard.press(KEYS["ab"[second.index(HOSTILE)]])
    expect(page.get_by_role("status")).to_contain_text("is page-hostile")
    expect(page.get_by_role("status")).to_contain_text("is page-long.")
    expect(page.locator("#board-about")).to_contain_text("Votes: 1, by 1 people on 1 questions")
    expect(page.locator(":focus")).to_have_id("prompt")
    assert violations(page) == []
    # another person's vote appears by itself
    battle = assay.create_battle(arena.id, "Third?")
    assay.vote_on_battle(arena.id, battle.id, "a" if battle.a != HOSTILE else "b", voter="ada")
    expect(page.locator("#board-about")).to_contain_text("Votes: 2, by 2 people on 2 questions")
    shot(page, "desk-voted")
    # an answer that never arrives: the same key asks for the same battle, also after a reload
    context.route("**/battles", lost)
    page.keyboard.type("Lost?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("No answer yet; trying again.")
    page.close()
    context.unroute("**/battles")
    asked = len(server.asked)
    page = visit(context, arena.url)
    answered(page, 1)
    expect(page.locator(".turn")).to_contain_text("Lost?")
    assert len(server.asked) == asked
    context.route("**/vote", lost)
    page.keyboard.press("9")
    expect(page.get_by_role("status")).to_contain_text("No answer yet; trying again.")
    context.unroute("**/vote")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("status")).to_contain_text("You found both bad.")
    assert assay.arena_board(arena.id).votes == 3
    server.plan = ["refused_key"] * 2
    page.get_by_label("Your next question").fill("Nobody?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("gave no answer")
    expect(page.get_by_label("Your next question")).to_have_value("Nobody?")
    server.plan.clear()


def lost(route: Route) -> None:
    """The service gets it, and its answer gets lost."""
    route.fetch()
    route.abort()


def test_a_phone_in_russian_at_night(
    assay: Client, arena: Arena, server: FaultyServer, profile: Opened
) -> None:
    page = visit(dark_phone(profile), arena.url)
    page.get_by_role("button", name="Русский").tap()
    page.get_by_text("Как это устроено").tap()
    assert page.locator("html").get_attribute("lang") == "ru"
    page.get_by_label("Ваш вопрос").fill("Кто?")
    before = assay.arena_board(arena.id).votes
    page.get_by_role("button", name="Спросить").tap()
    answered(page, 1)
    assert widths(page) == (320, 320)
    assert violations(page) == []
    shot(page, "phone-open")
    page.get_by_role("button", name="Оба хороши").tap()
    expect(page.get_by_role("status")).to_contain_text("По-вашему, оба хороши.")
    expect(page.locator("#board-about")).to_contain_text(f"Голосов: {before + 1}")
    assert widths(page) == (320, 320)
    assert violations(page) == []
    shot(page, "phone-voted")


def test_an_arena_that_is_not_there(live: Live, profile: Opened) -> None:
    page = visit(profile(), f"{live.base}/arena/arena_0")
    expect(page.get_by_role("heading", name="There is no such arena")).to_be_visible()
