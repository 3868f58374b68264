"""People annotate in a real browser, at a real service."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, text

from tests.service.annotation.people import Study, evaluation, evaluations_of
from tests.service.live import Live
from tests.service.pages.conftest import Opened, dark_phone, violations, visit, widths

HOSTILE = "<img src=x onerror=alert(1)><script>document.title='mine'</script>  two\n\n  lines"
CYRILLIC_U = {"key": "г", "code": "KeyU", "bubbles": True, "cancelable": True}
ARABIC = "مرحبا بالعالم"
CRITERIA = [
    {"name": "helpful", "scale": [1, 5], "anchors": {"1": "useless", "5": "perfect"}},
    {"name": "exact", "scale": [0, 100], "description": "Is it true?"},
    {"name": "tone", "scale": [-2, 2]},
]


def study_of(live: Live, db: Engine, texts: list[list[str]], **asked: Any) -> Study:
    """A project on what each system says."""
    with db.begin() as connection:
        made = [evaluation(connection, f"system-{at}", one) for at, one in enumerate(texts)]
    return Study(live.base, made, **{"overlap": 1, "gold_rate": 0} | asked)


def reach(page: Page, count: str) -> None:
    """Wait until the page is at `count`, and asks for an answer."""
    expect(page.locator("#count")).to_have_text(count)
    expect(page.locator("#item:not([inert])")).to_be_visible()


def answer(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def side(page: Page, wanted: str) -> str:
    """The key for the output that holds `wanted`."""
    return "1" if wanted in page.get_by_role("region", name="A", exact=True).inner_text() else "2"


def test_a_person_votes_by_keys_from_the_link_to_the_code(
    live: Live, db: Engine, profile: Opened
) -> None:
    texts = [[HOSTILE] * 4, ["fine"] * 4]
    study = study_of(live, db, texts, instructions="# Look\n\n- **well**")
    added = study.annotator("Ada")
    context = profile()
    urls: list[str] = []
    context.on("request", lambda one: urls.append(one.url))
    page = visit(context, added["url"])
    reach(page, "0 of 4")
    assert page.url == f"{live.base}/annotate"  # the address keeps no token
    expect(page.get_by_role("heading", name="Look")).to_be_visible()  # instructions, once
    expect(page.locator("strong")).to_have_text("well")
    assert (page.title(), page.locator("img, iframe, .text *").count()) == ("study", 0)
    shown = page.locator(".outputs .text").all_text_contents()
    assert sorted(shown) == [HOSTILE, "fine"]
    answer(page, side(page, "fine"), "Enter")
    reach(page, "1 of 4")
    expect(page.get_by_role("heading", name="Look")).to_be_hidden()
    page.get_by_label("Comment").fill("both the same")
    page.keyboard.press("Escape")
    answer(page, "ArrowDown", "Enter")
    reach(page, "2 of 4")
    page.locator(":focus").dispatch_event("keydown", CYRILLIC_U)
    reach(page, "1 of 4")
    expect(page.get_by_label("Equal")).to_be_checked()
    expect(page.get_by_label("Comment")).to_have_value("both the same")
    answer(page, "ArrowLeft" if side(page, "fine") == "1" else "ArrowRight", "Enter")
    reach(page, "2 of 4")
    answer(page, "s", "2")
    reach(page, "2 of 3")
    page.reload()
    reach(page, "2 of 3")
    answer(page, "Enter")
    expect(page.get_by_role("status")).to_have_text("Please answer first: Which is better?")
    page.get_by_label(f"{'A' if side(page, 'fine') == '1' else 'B'} is better").click()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#code")).to_have_text(study.made["completion_code"])
    votes = study.votes()
    assert [one["systems"]["ab".index(one["answer"]["choice"])] for one in votes] == [
        "system-1"
    ] * 3
    assert [one["comment"] for one in votes] == [None, "both the same", None]
    assert all(0 < one["seconds"] < 60 for one in votes)
    assert study.get("/annotators")["data"][0]["skips"] == 1
    assert not [url for url in urls if added["token"] in url]
    assert [url for url in urls if not url.startswith(f"{live.base}/")] == []


@pytest.mark.parametrize(
    ("asked", "keys", "expected"),
    [
        (
            {"form": "likert", "criteria": CRITERIA},
            ["4", "8", "7", "Tab", "5", "Enter"],
            {"ratings": {"helpful": 4, "exact": 87, "tone": 2}},
        ),
        ({"form": "label", "labels": ["good", "bad", "odd"]}, ["3", "Enter"], {"label": "odd"}),
        ({"form": "edit"}, ["Control+Enter"], {"text": "0 says 0!"}),
    ],
    ids=lambda one: one.get("form", "") if isinstance(one, dict) else "",
)
def test_every_form_has_keys(
    live: Live,
    db: Engine,
    profile: Opened,
    asked: dict[str, Any],
    keys: list[str],
    expected: dict[str, Any],
) -> None:
    study = Study(live.base, evaluations_of(db, 1, systems=1), **{"overlap": 1} | asked)
    page = visit(profile(), study.annotator()["url"])
    reach(page, "0 of 1")
    if asked["form"] == "edit":
        page.get_by_label("Mend the text").press("End")
        page.keyboard.type("!")
    answer(page, *keys)
    expect(page.locator("#code")).to_be_visible()
    assert [one["answer"] for one in study.votes()] == [expected]


def test_the_best_is_not_the_worst(live: Live, db: Engine, profile: Opened) -> None:
    made = evaluations_of(db, 1, systems=3)
    study = Study(live.base, made, form="best_worst", tuple_size=3, overlap=1)
    page = visit(profile(), study.annotator()["url"])
    reach(page, "0 of 1")
    shown = page.locator(".outputs .text").all_text_contents()
    answer(page, "1", "1", "2", "Enter")  # the worst takes it from the best
    expect(page.locator("#code")).to_be_visible()
    (vote,) = study.votes()
    said = {name: vote["systems"]["abc".index(letter)] for name, letter in vote["answer"].items()}
    assert said == {"worst": f"system-{shown[0][0]}", "best": f"system-{shown[1][0]}"}


def test_nothing_is_lost_without_a_network_nor_when_the_page_closes(
    live: Live, db: Engine, profile: Opened
) -> None:
    study = study_of(live, db, [["0", "0", "0"], ["1", "1", "1"]])
    context = profile()
    page = visit(context, study.annotator()["url"])
    reach(page, "0 of 3")
    context.set_offline(True)
    answer(page, "1", "Enter")
    expect(page.get_by_text("Your answer is kept on this device")).to_be_visible()
    context.set_offline(False)  # the browser says so
    reach(page, "1 of 3")
    page.get_by_label("Comment").fill("half a thou")
    page.close()
    page = visit(context, f"{live.base}/annotate")  # without the token, which the device has
    reach(page, "1 of 3")
    expect(page.get_by_label("Comment")).to_have_value("half a thou")
    context.route("**/v1/annotate/votes", lambda route: (route.fetch(), route.abort()))
    answer(page, "1", "Enter")  # it arrives, and the answer does not
    expect(page.get_by_text("Your answer is kept on this device")).to_be_visible()
    assert len(study.votes()) == 2
    page.close()
    context.unroute("**/v1/annotate/votes")
    page = visit(context, f"{live.base}/annotate")
    reach(page, "2 of 3")
    assert [one["comment"] for one in study.votes()] == [None, "half a thou"]
    expect(page.get_by_role("status")).to_be_empty()


def test_leases_are_kept_and_a_lost_one_is_told(live: Live, db: Engine, profile: Opened) -> None:
    study = study_of(live, db, [["0", "0"], ["1", "1"]], lease_minutes=10)
    added, other = study.annotator(), study.person()
    context = profile()
    page = context.new_page()
    page.clock.install()
    page.goto(added["url"])
    reach(page, "0 of 2")
    with page.expect_response("**/v1/annotate/extend") as extended:
        page.clock.run_for(5 * 60_000 + 1000)
    assert extended.value.ok
    with db.begin() as connection:
        query = "UPDATE annotation_slots SET lease_until = now() WHERE annotator_id = :id"
        connection.execute(text(query), {"id": added["id"]})
    taken = other.next()["item"]
    answer(page, "1", "Enter")
    expect(page.get_by_role("status")).to_contain_text("Your time for that item was over")
    assert study.votes() == []
    other.post("votes", item=taken["id"], choice="a")
    httpx.delete(f"{study.url}/annotators/{added['id']}")
    answer(page, "1", "Enter")
    expect(page.get_by_role("heading", name="This link is not valid")).to_be_visible()
    expect(page.get_by_text("could not be sent: 1.")).to_be_visible()
    assert len(study.votes()) == 1


def test_two_tabs_vote_once(live: Live, db: Engine, profile: Opened) -> None:
    study = study_of(live, db, [["0", "0"], ["1", "1"]])
    context, url = profile(), study.annotator()["url"]
    one, two = visit(context, url), visit(context, url)
    reach(one, "0 of 2")
    reach(two, "0 of 2")
    answer(one, "1", "Enter")
    reach(one, "1 of 2")
    answer(two, "2", "Enter")
    expect(two.get_by_role("status")).to_contain_text("You had answered that item already")
    reach(two, "1 of 2")
    assert len(study.votes()) == 1


def test_without_a_token_or_with_a_wrong_one(live: Live, profile: Opened) -> None:
    page = visit(profile(), f"{live.base}/annotate")
    expect(page.get_by_role("heading", name="This link is not complete")).to_be_visible()
    page.goto(f"{live.base}/annotate#token=asn_wrong")
    expect(page.get_by_role("heading", name="This link is not valid")).to_be_visible()


def test_a_phone_in_russian_at_night(live: Live, db: Engine, profile: Opened) -> None:
    long = "слово " * 2000 + "о" * 300
    study = study_of(live, db, [[ARABIC] * 2, [long] * 2], language="ru")
    page = visit(dark_phone(profile), study.annotator()["url"])
    reach(page, "0 из 2")
    assert page.locator("html").get_attribute("lang") == "ru"
    page.get_by_text("Инструкция").tap()
    assert widths(page) == (320, 320)
    directions = {
        one.inner_text()[0]: one.evaluate("one => getComputedStyle(one).direction")
        for one in page.locator(".outputs .text").all()
    }
    assert directions == {"م": "rtl", "с": "ltr"}
    tall = page.locator(".text", has_text="слово")
    assert tall.evaluate("one => one.scrollHeight > one.clientHeight + 1000")  # it scrolls
    assert violations(page) == []
    page.get_by_label("Лучше B").tap()
    page.get_by_role("button", name="English").tap()
    expect(page.get_by_label("B is better")).to_be_checked()
    page.reload()
    page.get_by_label("B is better").tap()
    page.get_by_role("button", name="Send").tap()
    reach(page, "1 of 2")
    assert len(study.votes()) == 1


def test_everybody_can_use_it(live: Live, db: Engine, profile: Opened) -> None:
    made = evaluations_of(db, 1, systems=1)
    study = Study(live.base, made, form="likert", criteria=CRITERIA, overlap=1)
    page = visit(profile(), study.annotator()["url"])
    reach(page, "0 of 1")
    focused = page.locator(":focus")
    assert focused.get_attribute("id") == "texts"  # from where the item is read
    assert violations(page) == []
    page.keyboard.press("s")
    expect(page.get_by_role("dialog", name="Why skip this one?")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    names = []
    for _ in range(5):
        page.keyboard.press("Tab")
        names.append(focused.get_attribute("aria-label") or focused.get_attribute("name"))
    assert names[-3:] == ["helpful", "exact", "tone"]
    answer(page, "1", "3", "5", "0", "Enter")  # where the focus is, then where an answer lacks
    expect(page.locator("#code")).to_be_visible()
    assert violations(page) == []
    assert study.votes()[0]["answer"] == {"ratings": {"helpful": 3, "exact": 50, "tone": -2}}
