"""The published boards: pages made again from the committed records, and what the README shows of them.

`python -m leaderboard.pages.publish` rewrites them all; a test finds no difference. A board whose matrix.csv is of
older rules keeps its verdicts in `verdicts-rules-N.csv.gz` beside the records. With the folder of a run and a name,
`python -m leaderboard.pages.publish results/quick quick`, that run is published first.
"""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from benchmark.store.records import RecordStore
from benchmark.store.secret import read_secret, secret_path
from leaderboard.analysis.error_rates import calibrate
from leaderboard.analysis.outside_rows import outside_rows
from leaderboard.analysis.reproduction import is_reproduction
from leaderboard.judge.board import Board, judge
from leaderboard.judge.published import PUBLISHED, board_names
from leaderboard.judge.results import secrets_of
from leaderboard.judge.rules import earlier_boards
from leaderboard.judge.run import read_run
from leaderboard.pages.board_pages import stale
from leaderboard.pages.export import keep_earlier, page_makers, records, remove, write_page
from leaderboard.pages.studies import wrt
from leaderboard.pages.studies.calibration_page import calibration_page
from leaderboard.pages.studies.published_index import INDEX, index_page
from leaderboard.pages.studies.readme import readme
from leaderboard.pages.writers.markdown import table

INDEX_FILE = Path(__file__).parents[1] / INDEX
README_FILE = Path(__file__).parents[2] / "README.md"
WRT_FILE = README_FILE.parent / "docs" / "wrt.md"
UNPUBLISHED = ("leaderboard.json", "records.jsonl")  # the records once more, in another form
REPRODUCTION_PAGES = ("reproduction.md", "reproduction.json")


@cache
def published(name: str) -> Board:
    """The board of a published run, from its own records: read and judged once for all that is made of it."""
    return judge(read_run(PUBLISHED / name))


def write_published(name: str, folder: Path) -> list[Path]:
    """Write the pages of a published run into `folder`: of a reproduction or a calibration, its own page alone.

    Of the boards' pages, those that hold the records once more in another form are left out.
    """
    board, at = published(name), PUBLISHED / name
    board = replace(board, earlier=earlier_boards(at), outside=outside_rows(at, board.tracks))
    if "calibration" in board.run.described:
        return [write_page(folder / "calibration.md", calibration_page(board.run, calibrate(board.run)))]
    made = {name: make for name, make in page_makers(board).items() if name not in UNPUBLISHED}
    if is_reproduction(board.run):
        made = {name: make for name, make in made.items() if name in REPRODUCTION_PAGES}
    else:
        remove(stale(folder, made))
    return [write_page(folder / name, make()) for name, make in made.items()]


def remake(folder: Path) -> None:
    """Write the pages of a published run anew, and first what its verdicts were, where its pages are of older rules."""
    keep_earlier(folder)
    write_published(folder.name, folder)


def publish(results: Path, name: str) -> None:
    """Take a finished run out of the folder `results` into the repository as `name`: its description and its records.

    Both are compressed without a date, so that equal runs give equal files. The secret goes with them: everybody can
    draw its keys again (`bench run --secret published:NAME`), so its store is not to be used for another board.
    """
    run = read_run(results, RecordStore(results.parent / "store"))
    for file, text in (("run.json", json.dumps(run.described, indent=1)), ("records.jsonl", records(run))):
        write_page(PUBLISHED / name / f"{file}.gz", gzip.compress(text.encode(), mtime=0))
    if secrets_of(run):
        write_page(PUBLISHED / name / "secret.txt", f"{read_secret(secret_path(results.parent / 'store')).hex()}\n")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        publish(Path(sys.argv[1]), sys.argv[2])
    for name in board_names():
        remake(PUBLISHED / name)
    boards = {name: published(name) for name in board_names()}
    INDEX_FILE.write_text(index_page(boards))
    README_FILE.write_text(readme(boards, README_FILE.read_text()))
    WRT_FILE.write_text(wrt.written(WRT_FILE.read_text(), table(wrt.ours())))
