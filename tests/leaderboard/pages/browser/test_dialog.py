"""What a square of leaderboard.html opens: evidence, seeds, a curve, and the command that makes it again."""

from __future__ import annotations

import csv
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from bench import bench_here

from leaderboard.pages.writers.html import page as html_page

from .visits import Visit


def test_a_square_opens_its_evidence_and_gives_the_focus_back(full: Any, visit: Visit) -> None:
    page = visit.open(html_page(full.board()))
    square = page.locator("tr[data-attack='removed'] .square").first
    square.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("heading", name="adi × removed").wait_for()
    said = dialog.inner_text()
    for part in (
        "5/100 hits",
        "p_key",
        "p_null",
        "clean nulls",
        "theta",
        "the owner releases",
        "the thief needs",
        "judged",
    ):
        assert part in said
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert square.evaluate("element => element === document.activeElement")
    square.click()
    page.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()
    assert square.evaluate("element => element === document.activeElement")


def test_seeds_are_summarised_before_they_are_listed(case: Any, visit: Visit) -> None:
    case.run["profile"]["seeds"] = 3
    for replicate, hits in enumerate((96, 5, 90)):
        case.hit(case.scheme("adi", replicate=replicate), "adi", "prune", hits, 4, replicate=replicate)
    page = visit.open(html_page(case.board()))
    page.locator(".square").first.click()
    dialog = page.get_by_role("dialog")
    said = dialog.inner_text()
    assert (
        said.index("3 cells, changes in points: survived 2/3; removed 1/3")
        < said.index("5/100 hits")
        < said.index("Seed by seed")
    )
    assert "p_null" not in said
    dialog.get_by_text("Seed 1: removed").click()
    assert "p_null" in dialog.inner_text()
    assert "--seeds 2" in dialog.inner_text()
    dots = [page.locator(f"svg .{kind}").count() for kind in ("seed", "delivered", "setting")]
    assert dots == [3, 1, 0]


def test_a_curve_is_drawn_from_its_own_numbers(case: Any, visit: Visit) -> None:
    shared = case.scheme("adi")
    for amount, hits, wrong in ((0.3, 96, 4), (0.5, 60, 8), (0.7, 5, 12)):
        label = f"prune(amount={amount})"
        case.attack(label, stages=[{"name": "prune", "parameters": {"amount": amount}}])
        case.hit(shared, "adi", label, hits, wrong)
    page = visit.open(html_page(case.board()))
    page.locator(".square").first.click()
    points = page.locator("svg .curve").get_attribute("points")
    across, up = zip(*[map(float, one.split(",")) for one in str(points).split()], strict=True)
    assert list(across) == sorted(across, reverse=True)  # a loss lies to the left
    assert list(up) == sorted(up)  # less evidence lies lower
    budget, delivered = page.locator("svg .limit").nth(1), page.locator("svg .delivered")
    steps = [float(delivered.get_attribute("cx")) - one for one in (*across, float(budget.get_attribute("x1")))]
    assert [one / steps[0] for one in steps] == pytest.approx([1, 2, 3, 5], abs=1e-6)  # points: -1, -2, -3, budget 5
    assert page.get_by_role("dialog").get_by_role("row").count() == 4


def test_the_copied_command_finds_the_same_verdict(finished: Path, visit: Visit, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(finished, results)
    page = visit.file(results / "small" / "leaderboard.html", permissions=["clipboard-read", "clipboard-write"])
    square = page.locator(".board[data-kind='removal'] tr[data-attack='prune(amount=0.3)'] .square").first
    word = square.locator("strong").inner_text()
    square.click()
    page.get_by_role("button", name="Copy the command").click()
    page.get_by_text("Copied.").wait_for()
    program, *arguments = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    assert program == "bench"
    code, said, error = bench_here(*arguments, "--results", str(results), "--device", "cpu")
    assert code == 0, said + error
    told = ("verdict", "total", "n", "log10_p", "log10_p_key", "log10_p_null", "accuracy", "fresh_total")
    shown, made = (
        [{name: line[name] for name in told} for line in lines_of(path, "prune(amount=0.3)")]
        for path in (finished / "small" / "matrix.csv", results / "one-cell" / "matrix.csv")
    )
    assert shown == made
    assert [one["verdict"] for one in made] == [word.split(" (")[0]]


def lines_of(path: Path, attack: str) -> list[dict[str, str]]:
    """The lines of a matrix.csv that speak of marked models under one attack."""
    with path.open(newline="") as file:
        return [one for one in csv.DictReader(file) if (one["attack"], one["innocent"]) == (attack, "False")]
