"""leaderboard.html in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import csv
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench import bench_here

from leaderboard.pages.writers.html import page as html_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: pip install '.[dev]'")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt-get install chromium")

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
HOSTILE = "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">" + "W" * 300


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright_api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


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
        page.goto(path.as_uri())
        return page


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Visit]:
    visit = Visit(browser, tmp_path)
    yield visit
    for context in list(browser.contexts):
        context.close()
    assert visit.errors == []
    assert all(url.startswith("file://") for url in visit.asked)


def shown(page: Any, board: str = "removal") -> list[str]:
    """The attacks of a board's visible rows, in their order."""
    rows = page.locator(f".board[data-kind='{board}'] tbody tr")
    return [row.get_attribute("data-attack") for row in rows.all() if row.is_visible()]


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


def test_filters_by_text_verdict_and_board(full: Any, visit: Visit) -> None:
    page = visit.open(html_page(full.board()))
    page.get_by_label("Attack contains").fill("UNDECIDED")
    assert shown(page) == [f"undecided ({why})" for why in ("evidence", "utility", "both", "nulls")]
    assert "5 of" in page.locator("#status").inner_text()
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_label("Verdict").select_option("utility-lost")
    assert shown(page) == ["utility-lost"]
    assert page.locator("td.match").count() == 1
    page.get_by_role("button", name="Clear", exact=True).click()
    page.get_by_label("Board").select_option("ambiguity")
    assert shown(page) == []
    assert shown(page, "ambiguity") == ["forged", "rejected", "undecided claim"]
    assert not page.get_by_role("heading", name="Removal", level=2).is_visible()


def test_a_square_opens_its_evidence_and_gives_the_focus_back(full: Any, visit: Visit) -> None:
    page = visit.open(html_page(full.board()))
    square = page.locator("tr[data-attack='removed'] .square").first
    square.click()
    dialog = page.get_by_role("dialog")
    assert dialog.get_by_role("heading", name="adi × removed").is_visible()
    said = dialog.inner_text()
    for part in (
        "5/100 hits",
        "p_key",
        "p_null",
        "clean nulls",
        "theta",
        "leaves the house",
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
    tab_to(page, ".sort[data-column='1']")
    page.keyboard.press("Enter")
    assert shown(page)[0] in ("removed", "no-better-than-scratch", "unreadable")
    tab_to(page, ".square")
    opener = page.evaluate("document.activeElement.dataset.square")
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").is_visible()
    tab_to(page, ".copy")
    page.keyboard.press("Enter")
    page.get_by_text("Copied.").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.square") == opener


@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 640}], ids=["390", "320"])
def test_a_phone_never_scrolls_the_page_sideways(full: Any, visit: Visit, size: dict[str, int]) -> None:
    shared = full.scheme(HOSTILE)
    full.hit(shared, HOSTILE, HOSTILE, 96)
    page = visit.open(html_page(full.board()), size)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    regions = page.locator(".scroll").first
    assert regions.evaluate("element => element.scrollWidth > element.clientWidth && element.tabIndex === 0")
    page.locator("tr[data-attack*='WWW'] .square").last.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.get_by_role("dialog").evaluate("element => element.scrollWidth <= element.clientWidth")
    assert page.title() == "Watermark robustness: made-up"
    assert page.locator("img").count() == 0


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
    found += axe.run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:2]) for one in found] == []


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
