"""The made-up run of many cells: its pages are those of its records, whatever was kept from one reading to the next."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from many_cells import copies, measure, write

from benchmark.files import MOST_BYTES
from leaderboard.judge.board import judge
from leaderboard.judge.run import Run, described_run
from leaderboard.pages.export import page_makers
from leaderboard.pages.publish import PUBLISHED

from ..conftest import published_board


def test_a_run_of_copies_is_whole_and_measured(tmp_path: Path) -> None:
    name = "reproduce-passport-small"
    original = published_board(name)
    store = write(tmp_path, *copies(PUBLISHED / name, 2 * len(original.cells)))
    board, took = measure(tmp_path, store)
    assert len(board.cells) == 2 * len(original.cells)
    assert {cell.verdict.word for cell in board.cells} >= {"survived", "forged", "rejected"}
    assert {"not-run", "crashed"}.isdisjoint(cell.verdict.word for cell in board.cells)
    assert {"read", "judge", "leaderboard.md", "leaderboard.html", "matrix.csv"} <= took.keys()


def test_other_thresholds_read_from_what_is_kept_are_those_judged_anew(full: Any) -> None:
    """From a board that has been read, against a fresh judgement, for which nothing was kept."""
    run = published_board("fmnist").run
    board = judge(run).parts[0]
    for alpha, budget in ((0.05, 5.0), (1e-6, 5.0), (0.001, 1.0), (0.05, 10.0)):
        anew = judge(Run(run.described, run.records), alpha, budget).parts[0]
        assert [verdict for _, verdict in board.at_thresholds(alpha, budget)] == [cell.verdict for cell in anew.cells]
    made_up = full.board()
    for alpha, budget in ((0.05, 5.0), (1e-6, 2.0)):
        anew = full.board(alpha, budget)
        assert [verdict for _, verdict in made_up.at_thresholds(alpha, budget)] == [c.verdict for c in anew.cells]


def test_what_a_run_keeps_never_changes_a_page(full: Any) -> None:
    run = full.read()
    other = judge(run, 0.05, 1.0)
    _ = [make() for make in page_makers(other).values()]
    warm = {name: make() for name, make in page_makers(judge(run)).items()}
    cold = {name: make() for name, make in page_makers(judge(Run(run.described, run.records))).items()}
    assert warm == cold


def test_a_description_may_be_larger_than_other_json(tmp_path: Path) -> None:
    """That of 100,000 cells has 116 MB."""
    described = described_run(PUBLISHED / "denoise")
    text = json.dumps(described).encode()
    (tmp_path / "run.json.gz").write_bytes(gzip.compress(text + b" " * MOST_BYTES, compresslevel=1))
    assert described_run(tmp_path) == described


def test_measuring_needs_no_torch() -> None:
    code = (
        "import sys; sys.argv = ['many_cells', '--cells', '10', '--run', 'reproduce-passport-small'];"
        "from many_cells import main; main();"
        "assert 'torch' not in sys.modules"
    )
    path = os.pathsep.join((str(Path(__file__).parents[3]), str(Path(__file__).parents[2])))
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(published_board('reproduce-passport-small').cells)} cells" in done.stdout
