"""Readers of what lies beside a run's records: its last page, verdicts under older rules, rows from outside."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

from mutations import Reader, json_like, packed_table_like, table_like
from small_boards import board_files

from benchmark.errors import BenchError
from leaderboard.analysis.outside_rows import outside_rows
from leaderboard.judge.board import Board, judge
from leaderboard.judge.outside import OUTSIDE, Imported, Replayed, entry_path
from leaderboard.judge.rules import earlier_boards, keep_verdicts
from leaderboard.judge.run import read_run
from leaderboard.pages.export import matrix_csv
from leaderboard.pages.sections.changed import changed
from leaderboard.pages.sections.outside import outside

_ROW = "ab" * 32


def _of_older_rules(board: Board) -> bytes:
    """Its matrix.csv, as if an older version had judged the same."""
    lines = list(csv.DictReader(io.StringIO(matrix_csv(board))))
    written = io.StringIO()
    writer = csv.DictWriter(written, lines[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows({**line, "rules": "1"} for line in lines)
    return written.getvalue().encode()


def beside_pages(folder: Path, run: bytes, records: bytes) -> dict[str, Reader]:
    """What `bench report` reads beside run.json and the records: its own last page, older verdicts, rows of others."""
    (folder / "run.json").write_bytes(run)
    (folder / "records.jsonl").write_bytes(records)
    board = judge(read_run(folder))
    matrix = _of_older_rules(board)
    (folder / "matrix.csv").write_bytes(matrix)
    ((kept, verdicts),) = keep_verdicts(folder).items()
    row = f"{OUTSIDE}/{_ROW}"
    parts = {f"{row}/{name}": part for name, part in board_files(run, records).items()}
    digests = {Path(name).name: sha256(data).hexdigest() for name, (data, _) in parts.items()}
    entry = Imported(1, "prune", "0.9.0", digests, "2026-11-28", Replayed("equal", "0.9.0", "2026-11-28", ("a note",)))
    return {
        "matrix.csv": Reader(_kept_and_read, {"matrix.csv": (matrix, table_like)}),
        "verdicts": Reader(
            lambda at: changed(replace(board, earlier=earlier_boards(at))), {kept: (verdicts, packed_table_like)}
        ),
        "outside": Reader(
            lambda at: _with_row(at, digests, board),
            {"entry.json": (json.dumps(asdict(entry)).encode(), json_like), **parts},
        ),
    }


def _kept_and_read(folder: Path) -> None:
    """What is kept of any page can be read again, or every later report would stop."""
    for name, data in keep_verdicts(folder).items():
        (folder / name).write_bytes(data)
        try:
            earlier_boards(folder)
        except BenchError as error:
            raise AssertionError("what was kept can't be read") from error
        finally:
            (folder / name).unlink()


def _with_row(folder: Path, digests: dict[str, str], board: Board) -> None:
    """A row whose hashes fit what was kept of it: whoever sends a bundle writes both."""
    text = (folder / "entry.json").read_bytes()
    for name, good in digests.items():
        text = text.replace(good.encode(), sha256((folder / OUTSIDE / _ROW / name).read_bytes()).hexdigest().encode())
    entry_path(folder, _ROW).write_bytes(text)
    outside(replace(board, outside=(rows := outside_rows(folder, board.tracks))))
    assert all(len(row.reason) <= 1000 for row in rows)
