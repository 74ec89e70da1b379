"""Visits of leaderboard.html in a browser, and what is seen there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


class Visit:
    """Opens pages of a browser; keeps what they asked for and what went wrong."""

    def __init__(self, browser: Any, folder: Path) -> None:
        self.browser, self.folder = browser, folder
        self.asked: list[str] = []
        self.errors: list[str] = []

    def open(self, text: str, size: dict[str, int] = WIDE, **options: Any) -> Any:
        path = self.folder / "leaderboard.html"
        path.write_text(text, encoding="utf-8")
        return self.file(path, size, **options)

    def file(self, path: Path, size: dict[str, int] = WIDE, **options: Any) -> Any:
        context = self.browser.new_context(viewport=size, **options)
        page = context.new_page()
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.go(page, path.as_uri())
        return page

    def go(self, page: Any, address: str) -> None:
        page.goto(address)
        page.get_by_text(" rows shown.").wait_for()  # the squares are unpacked


def shown(page: Any, board: str = "removal") -> list[str]:
    """The attacks of a board's visible rows, in their order."""
    rows = page.locator(f".board[data-kind='{board}'] tbody tr")
    return [row.get_attribute("data-attack") for row in rows.all() if row.is_visible()]


def columns(page: Any, board: str = "removal") -> list[str]:
    """The schemes of a board's table."""
    return [str(text).strip() for text in page.locator(f".board[data-kind='{board}'] thead th").all_inner_texts()[1:]]


def focused(page: Any) -> str:
    """The text of the element that has the keyboard."""
    return str(page.evaluate("document.activeElement.textContent")).strip()


def tab_to(page: Any, selector: str) -> None:
    """Press Tab until an element that fits has the keyboard."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"no Tab reaches {selector}")
