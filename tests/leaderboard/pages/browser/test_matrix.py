"""The matrix of leaderboard.html: sorted, filtered, and reached from the heat map."""

from __future__ import annotations

from typing import Any

from leaderboard.pages.writers.html import page as html_page

from .visits import Visit, columns, focused, shown


def test_columns_sort_by_how_the_scheme_fared(full: Any, visit: Visit) -> None:
    page = visit.open(html_page(full.board()))
    before = shown(page)
    header = page.locator(".board[data-kind='removal'] thead th").nth(1)
    button = header.locator("button")
    button.click()
    assert header.get_attribute("aria-sort") == "ascending"
    assert set(shown(page)[:3]) == {"removed", "no-better-than-scratch", "unreadable"}
    button.click()
    assert header.get_attribute("aria-sort") == "descending"
    assert set(shown(page)[-3:]) == {"removed", "no-better-than-scratch", "unreadable"}
    other = page.locator(".board[data-kind='removal'] thead th").nth(0)
    other.locator("button").click()
    assert header.get_attribute("aria-sort") == "none"
    assert shown(page) == sorted(before)
    other.locator("button").click()
    other.locator("button").click()
    assert shown(page) == before


def test_filters_by_text_verdict_and_kind(full: Any, visit: Visit) -> None:
    page = visit.open(html_page(full.board()))
    page.get_by_label("Attack contains").fill("UNDECIDED")
    assert shown(page) == [f"undecided ({why})" for why in ("evidence", "utility", "both", "nulls")]
    assert "5 of" in page.locator("#status").inner_text()
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_label("Verdict").select_option("utility-lost")
    assert shown(page) == ["utility-lost"]
    assert page.locator("td.match").count() == 1
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_label("Kind").select_option("ambiguity")
    assert shown(page) == []
    assert shown(page, "ambiguity") == ["forged", "rejected", "undecided claim"]
    assert page.locator(".board h3").all_inner_texts() == ["Ambiguity"]


def test_pairs_that_cannot_be_run_are_shown_where_they_are_asked_for(full: Any, visit: Visit) -> None:
    page = visit.open(html_page(full.board()))
    assert "not-applicable" not in shown(page)
    assert "Not among them: 1 squares" in page.locator("#status").inner_text()
    page.get_by_label("Verdict").select_option("not-applicable")
    assert shown(page) == ["not-applicable"]
    page.locator(".square").click()
    assert "needs a scheme with passports" in page.get_by_role("dialog").inner_text()


def test_a_scheme_is_shown_alone_or_beside_another(case: Any, visit: Visit) -> None:
    for name in ("adi", "rose", "passport"):
        case.hit(case.scheme(name), name, "prune", 96)
    page = visit.open(html_page(case.board()))
    assert columns(page) == ["adi", "rose", "passport"]
    page.locator("#filter-scheme").select_option("passport")
    assert columns(page) == ["passport"]
    page.get_by_label("Beside it").select_option("adi")
    assert columns(page) == ["adi", "passport"]


def test_a_square_of_the_heat_map_leads_to_its_part_of_the_matrix(full: Any, visit: Visit) -> None:
    page = visit.open(html_page(full.board()))
    page.get_by_role("button", name="1/3 forged").click()
    assert focused(page) == "The matrix"
    assert page.get_by_label("Kind").input_value() == "ambiguity"
    assert columns(page, "ambiguity") == ["adi"]
    assert shown(page) == []
