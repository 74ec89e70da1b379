"""The pages of a run on the disk; `matrix.csv`, one line per cell, and `records.jsonl`, every record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.files import content, write_whole
from benchmark.store.gc_pause import paused
from leaderboard.analysis.outside_rows import outside_rows
from leaderboard.analysis.reproduction import is_reproduction
from leaderboard.analysis.sweeps import curves
from leaderboard.judge.board import Board
from leaderboard.judge.rules import earlier_boards, keep_verdicts
from leaderboard.judge.run import Run
from leaderboard.pages.bibliography import bibliography
from leaderboard.pages.board_json import leaderboard_json
from leaderboard.pages.board_pages import markdown_pages, stale
from leaderboard.pages.page_model import one_line
from leaderboard.pages.sections.first_page.picture import HEAT_MAP
from leaderboard.pages.studies.reproduction_page import page as reproduction_page
from leaderboard.pages.studies.reproduction_page import reproduction_json

FIGURES = "figures"  # the folder of the figures, beside the pages
_FIGURES = tuple(f"{name}*.{kind}" for name in ("false-positives", "curves") for kind in ("png", "svg", "pdf"))
_FORMULA = ("=", "+", "-", "@")
_NEWER = (  # columns that older boards have nothing for
    "change_against_unmarked", "change_against_unmarked_low", "change_against_unmarked_high", "key_images",
    "key_images_held", "deciding_channel", "job_twin", "views", "fresh_views", "member",
)  # fmt: skip


@paused()
def write_pages(board: Board, folder: Path, *, figures: bool = False) -> list[Path]:
    """Write every page of the board into `folder`, each whole or not at all; returns their paths.

    figures: draw them, too, which takes seconds. Pages and figures of another board are removed where this one has no
    such page or its figures are not drawn, so that nothing in the folder contradicts the pages. Verdicts of older rules
    that stand there are kept in a file of their own. Raises BenchError where the folder can't be written.
    """
    keep_earlier(folder)
    board = replace(board, earlier=earlier_boards(folder), outside=outside_rows(folder, board.tracks))
    pages: dict[str, str | bytes] = {name: make() for name, make in page_makers(board).items()}
    if figures:
        from leaderboard.pages.figures import figures as draw

        pages |= {f"{FIGURES}/{name}": image for name, image in draw(board, curves(board)).items()}
    if figures or not _holds(folder / "matrix.csv", str(pages["matrix.csv"])):
        drawn = (path for name in _FIGURES for path in (folder / FIGURES).glob(name))
        remove(path for path in drawn if f"{FIGURES}/{path.name}" not in pages)
    remove(stale(folder, pages))
    return [write_page(folder / name, page) for name, page in pages.items()]


def page_makers(board: Board) -> dict[str, Callable[[], str]]:
    """What writes each page, by file name."""
    from leaderboard.pages.writers import heat_map, html, latex  # their engines load slowly, and only here

    reproduction = {"reproduction.md": lambda: reproduction_page(board),
                    "reproduction.json": lambda: reproduction_json(board)}  # fmt: skip
    return {
        **markdown_pages(board),
        HEAT_MAP: lambda: heat_map.page(board),
        "leaderboard.html": lambda: html.page(board),
        "leaderboard.json": lambda: leaderboard_json(board),
        "leaderboard.tex": lambda: latex.page(board),
        "works.bib": lambda: bibliography(board),
        "matrix.csv": lambda: matrix_csv(board),
        "records.jsonl": lambda: records(board.run),
        **(reproduction if is_reproduction(board.run) else {}),
    }


def _holds(path: Path, text: str) -> bool:
    data = _encoded(text)
    try:
        return content(path, len(data)) == data
    except (OSError, ValueError):
        return False


def keep_earlier(folder: Path) -> None:
    """Write the verdicts of the pages in `folder` into a file of their own, where they are of older rules."""
    for name, kept in keep_verdicts(folder).items():
        write_page(folder / name, kept)


def remove(those: Iterable[Path]) -> None:
    """Remove pages of an older board. Raises BenchError where one can't be removed."""
    for path in those:
        try:
            path.unlink(missing_ok=True)
        except NotADirectoryError:
            return  # nor can anything be written there, which says so better
        except OSError as error:
            raise BenchError(f"{path} can't be removed ({error.strerror}): it shows an older board") from error


def write_page(path: Path, page: str | bytes) -> Path:
    """Write a page, text or image, whole or not at all. Raises BenchError where it can't be written."""
    try:
        write_whole(path, _encoded(page) if isinstance(page, str) else page)
    except OSError as error:
        raise BenchError(f"{path} can't be written ({error.strerror}): choose another folder or free space") from error
    return path


def _encoded(text: str) -> bytes:
    """UTF-8, in which half a letter, as a name that is no UTF-8 leaves, is written out."""
    return text.encode(errors="backslashreplace")


def records(run: Run) -> str:
    """Every record of the run as JSON, one per line, sorted by id."""
    ordered = sorted(run.records.values(), key=lambda record: str(record["id"]))
    return "".join(json.dumps(record, sort_keys=True, separators=(",", ":")) + "\n" for record in ordered)


def matrix_csv(board: Board) -> str:
    """`leaderboard.frame` as CSV: one line per cell, innocents among them; fields without a value are empty.

    Columns that older boards have nothing for are left out where they are empty.
    Whole totals are written as counts. Texts that a spreadsheet would take for a formula start with a quote mark.
    """
    import pandas as pd  # it loads slowly, and only here

    from leaderboard.dataframe import COLUMNS, cells

    made = cells(board)
    made = made.drop(columns=[name for name in _NEWER if made[name].isna().all()])
    worded = {column.name for column in COLUMNS if column.dtype in ("category", "string")}
    for name in (one for one in made if one in worded):
        texts = made[name].astype(object)
        made[name] = texts.map({text: _plain(text) for text in texts.dropna().unique()})
    for name in (prefix + total for prefix in ("", "fresh_") for total in ("total", "theta", "theta0", "null_max")):
        whole = [int(value) if value.is_integer() else value for value in made[name]]
        made[name] = pd.Series(whole, dtype=object)
    return str(made.to_csv(index=False, lineterminator="\n"))


def _plain(text: str) -> str:
    plain = one_line(text)
    return f"'{plain}" if plain.startswith(_FORMULA) else plain
