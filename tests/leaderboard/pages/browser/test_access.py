"""leaderboard.html by keyboard, and as axe sees it."""

from __future__ import annotations

from typing import Any

import pytest

from leaderboard.pages.writers.html import page as html_page

from .visits import PHONE, WIDE, Visit, focused, shown, tab_to


def test_everything_works_by_keyboard(full: Any, visit: Visit) -> None:
    page = visit.open(html_page(full.board()))
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the matrix"
    page.keyboard.press("Enter")
    tab_to(page, "#filter-text")
    page.keyboard.type("r")
    assert "survived" in shown(page)
    assert "timeout" not in shown(page)
    tab_to(page, ".scroll")
    tab_to(page, ".board th:nth-child(2) .sort")
    page.keyboard.press("Enter")
    assert shown(page)[0] in ("removed", "no-better-than-scratch", "unreadable")
    tab_to(page, ".square")
    opener = page.evaluate("document.activeElement.dataset.square")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    tab_to(page, ".copy")
    page.keyboard.press("Enter")
    page.get_by_text("Copied.").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.square") == opener


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(full: Any, visit: Visit, scheme: str, size: dict[str, int]) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    ).Axe()
    page = visit.open(html_page(full.board()), size, color_scheme=scheme, bypass_csp=True)  # axe comes in by eval
    assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") == (scheme == "dark")
    found = axe.run(page).response["violations"]
    page.get_by_label("Verdict").select_option("removed")
    found += axe.run(page).response["violations"]
    page.locator("tr[data-attack='removed'] .square").first.click()
    page.get_by_role("dialog").wait_for()
    found += axe.run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:2]) for one in found] == []
