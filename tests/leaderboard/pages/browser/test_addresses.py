"""Addresses within leaderboard.html, of one cell or of several."""

from __future__ import annotations

from typing import Any

from leaderboard.pages.writers.html import page as html_page

from .visits import Visit, columns, shown


def test_an_address_names_a_cell(full: Any, visit: Visit) -> None:
    page = visit.open(html_page(full.board()))
    start = page.url
    dialog = page.get_by_role("dialog")
    for address, title in (
        ("adi/undecided-utility", "adi × undecided (utility)"),
        ("adi/undecided%20(utility)", "adi × undecided (utility)"),
        ("adi/none/innocent", "unmarked under adi × none"),
    ):
        page.goto("about:blank")
        visit.go(page, f"{start}#{address}")
        dialog.get_by_role("heading", name=title, exact=True).wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url(start)
    page.evaluate("location.hash = 'adi/removed'")
    dialog.get_by_role("heading", name="adi × removed").wait_for()
    page.keyboard.press("Escape")
    page.wait_for_url(start)
    page.evaluate("location.hash = 'adi/nothing'")
    page.get_by_text("names no cell").wait_for()
    page.locator("tr[data-attack='removed'] .square").first.click()
    page.wait_for_url(f"{start}#adi/removed")


def test_an_address_of_several_cells_leads_to_their_table(case: Any, visit: Visit) -> None:
    for name in ("adi(mode=scratch)", "adi(mode=finetune)", "rose"):
        shared = case.scheme(name)
        case.run["schemes"][-1] |= {"name": name.split("(")[0], "parameters": {"mode": name[9:-1]}}
        for amount in (0.3, 0.5):
            stage = {"name": "prune", "parameters": {"amount": amount}}
            case.attack(f"prune(amount={amount})", stages=[stage])
            case.hit(shared, name, f"prune(amount={amount})", 96)
    page = visit.open(html_page(case.board()))
    for address, attacks, schemes in (
        ("adi/prune-amount-0-3", 1, ["adi scratch", "adi finetune"]),
        ("rose/", 2, ["rose"]),
        ("/prune", 2, ["adi scratch", "adi finetune", "rose"]),
    ):
        page.evaluate("address => { location.hash = address; }", address)
        page.wait_for_function(
            "count => document.querySelectorAll('.square').length === count", arg=attacks * len(schemes)
        )
        assert columns(page) == schemes
        assert len(shown(page)) == attacks
    assert not page.get_by_role("dialog").is_visible()
