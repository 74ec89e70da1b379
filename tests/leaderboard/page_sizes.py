"""How large a board's pages are, and how long a browser takes: `python tests/leaderboard/page_sizes.py FOLDER...`.

FOLDER holds leaderboard.md and leaderboard.html, such as leaderboard/published/quick; those of an older version come
out of `git show COMMIT:PATH`. One row for each folder. Needs the browser that the tests need.
"""

from __future__ import annotations

import shutil
import sys
from math import ceil
from pathlib import Path
from statistics import median

from markdown_it import MarkdownIt
from playwright.sync_api import Browser, sync_playwright

WIDE, HIGH = 1280, 900
_STYLE = (  # a code host's measures: letters of 16 px, a column of 1,012 px, tables that are as wide as they must be
    "body{font:16px/1.5 sans-serif;max-width:948px;margin:32px auto}table{border-collapse:collapse;display:block;"
    "overflow:auto}td,th{border:1px solid;padding:6px 13px}img{max-width:100%}"
)
LOADS = 5


def row(folder: Path, browser: Browser) -> list[str]:
    markdown, html = folder / "leaderboard.md", folder / "leaderboard.html"
    text = markdown.read_text()
    page = browser.new_page(viewport={"width": WIDE, "height": HIGH})
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    page.set_content(f"<style>{_STYLE}</style>{shown}", timeout=0)
    high = float(page.evaluate("document.documentElement.scrollHeight"))
    page.close()
    times = [_ready(html, browser) for _ in range(LOADS)]
    size = f"{len(text.encode()) / 1000:,.0f} kB"
    return [folder.name, size, f"{text.count(chr(10)):,}", f"{len(text.split()):,}", f"{ceil(high / HIGH):,}",
            f"{html.stat().st_size / 1e6:.1f} MB", f"{median(times) / 1000:.2f} s"]  # fmt: skip


def _ready(html: Path, browser: Browser) -> float:
    """Milliseconds until the document is ready, in a browser page of its own."""
    page = browser.new_page(viewport={"width": WIDE, "height": HIGH})
    page.goto(html.resolve().as_uri(), timeout=0)
    took = float(page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"))
    page.close()
    return took


if __name__ == "__main__":
    header = ["board", "leaderboard.md", "lines", "words", f"screens of {HIGH} px", "leaderboard.html", "DOM ready"]
    print(f"| {' | '.join(header)} |\n| --- |{' --: |' * (len(header) - 1)}")
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name in sys.argv[1:]:
            print(f"| {' | '.join(row(Path(name), chrome))} |")
        chrome.close()
