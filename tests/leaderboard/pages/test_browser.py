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
        self.go(page, path.as_uri())
        return page

    def go(self, page: Any, address: str) -> None:
        page.goto(address)
        page.get_by_text(" rows shown.").wait_for()  # the squares are unpacked


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


def columns(page: Any, board: str = "removal") -> list[str]:
    """The schemes of a board's table."""
    return [str(text).strip() for text in page.locator(f".board[data-kind='{board}'] thead th").all_inner_texts()[1:]]


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
