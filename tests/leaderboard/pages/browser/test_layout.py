"""How leaderboard.html is laid out: on a phone, on paper, and while it scrolls."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard.pages.writers.html import page as html_page

from .visits import PHONE, Visit

HOSTILE = "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">" + "W" * 300


def test_headers_stay_in_sight(case: Any, visit: Visit) -> None:
    for scheme in range(12):
        shared = case.scheme(f"scheme {scheme}")
        for attack in range(12):
            case.hit(shared, f"scheme {scheme}", f"attack {attack}", 96)
    page = visit.open(html_page(case.board()), PHONE)
    table = page.locator(".board .scroll")
    assert table.evaluate("element => element.clientHeight < innerHeight && element.scrollHeight > innerHeight")
    table.evaluate("element => { element.scrollTop = 400; element.scrollLeft = 400; }")
    box = table.bounding_box()
    head, row = (page.locator(one).bounding_box() for one in (".board thead th >> nth=4", ".board tbody th >> nth=5"))
    assert head["y"] == pytest.approx(box["y"], abs=2)
    assert row["x"] == pytest.approx(box["x"], abs=2)


def test_print_shows_every_column(case: Any, visit: Visit) -> None:
    for scheme in range(15):
        case.hit(case.scheme(f"scheme {scheme}"), f"scheme {scheme}", "prune", 96)
    page = visit.open(html_page(case.board()), {"width": 700, "height": 1000})
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= 700
    squares = page.locator(".square").all()
    assert len(squares) == 15
    for square in squares:
        box = square.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 700
    label = page.locator("td[data-scheme='scheme 14']").evaluate("one => getComputedStyle(one, '::before').content")
    assert label == '"scheme 14"'


@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 640}], ids=["390", "320"])
def test_a_phone_never_scrolls_the_page_sideways(full: Any, visit: Visit, size: dict[str, int]) -> None:
    shared = full.scheme(HOSTILE)
    full.hit(shared, HOSTILE, HOSTILE, 96)
    page = visit.open(html_page(full.board()), size)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    regions = page.locator(".scroll").first
    assert regions.evaluate("element => element.scrollWidth > element.clientWidth && element.tabIndex === 0")
    page.locator("tr[data-attack*='WWW'] .square").last.click()
    page.get_by_role("dialog").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.get_by_role("dialog").evaluate("element => element.scrollWidth <= element.clientWidth")
    assert page.title() == "Watermark robustness: made-up"
    assert page.locator("img").count() == 0
