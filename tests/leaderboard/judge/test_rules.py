"""Rules have a version: what a board was called under older ones is kept beside its records, once, and compared."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchError
from leaderboard.judge.board import judge
from leaderboard.judge.rules import CHANGES, RULES, earlier_boards, keep_verdicts
from leaderboard.pages import publish
from leaderboard.pages.board_json import document
from leaderboard.pages.export import matrix_csv, write_pages

KEPT = "verdicts-rules-1.csv.gz"


@pytest.fixture
def old_board(case: Any) -> Path:
    """A published run of three cells whose matrix.csv is of rules 1: the same, read strictly, without their number."""
    shared = case.scheme("adi")
    for attack, hits in (("prune", 22), ("quantize", 96), ("finetune", 5)):
        case.hit(shared, "adi", attack, hits)
    run = case.read()
    folder: Path = case.folder
    lines = list(csv.DictReader(io.StringIO(matrix_csv(judge(run, strict=True)))))
    with (folder / "matrix.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [name for name in lines[0] if name != "rules"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(lines)
    return folder


def test_every_version_says_what_it_changed() -> None:
    assert sorted(CHANGES) == list(range(2, RULES + 1))
    assert all(said.endswith(".") for those in CHANGES.values() for said in those)


def test_changed_verdicts_are_listed_with_their_reason(case: Any, old_board: Path) -> None:
    write_pages(case.board(), old_board)
    (earlier,) = earlier_boards(old_board)
    assert {one.attack: one.verdict for one in earlier.verdicts} == {
        "prune": "undecided", "quantize": "survived", "finetune": "removed",
    }  # fmt: skip
    text = (old_board / "changed.md").read_text()
    assert "1 of 3 verdicts changed since rules 1" in text
    (row,) = [line for line in text.splitlines() if "p_key alone decides" in line]
    assert row == "| undecided | survived | p_key alone decides | 1 | adi × prune (0) |"
    assert CHANGES[2][0] in text
    assert "changed.md" in (old_board / "leaderboard.md").read_text()


def test_verdicts_are_kept_once(case: Any, old_board: Path) -> None:
    write_pages(case.board(), old_board)
    kept, page = (old_board / KEPT).read_bytes(), (old_board / "changed.md").read_text()
    assert keep_verdicts(old_board) == {}
    write_pages(case.board(), old_board)
    assert ((old_board / KEPT).read_bytes(), (old_board / "changed.md").read_text()) == (kept, page)
    (old_board / "matrix.csv").unlink()
    assert keep_verdicts(old_board) == {}


def test_a_board_of_these_rules_has_no_earlier_verdicts(case: Any) -> None:
    case.hit(case.scheme("adi"), "adi", "prune", 22)
    for _ in range(2):
        write_pages(case.board(), case.folder)
    assert not (case.folder / KEPT).exists()
    assert not (case.folder / "changed.md").exists()
    assert document(case.board())["rules"] == RULES
    assert f"rules {RULES}" in (case.folder / "protocol.md").read_text()


def test_cells_that_were_examined_anew_are_not_compared(case: Any, old_board: Path) -> None:
    kept = gzip.decompress(keep_verdicts(old_board)[KEPT]).decode().splitlines()
    (old_board / KEPT).write_bytes(gzip.compress("\n".join([kept[0], *(f"{line}x" for line in kept[1:])]).encode()))
    write_pages(case.board(), old_board)
    assert not (old_board / "changed.md").exists()


def test_damaged_verdicts_are_named(old_board: Path) -> None:
    (old_board / KEPT).write_bytes(b"no archive")
    with pytest.raises(BenchError, match=f"{KEPT} can't be read"):
        earlier_boards(old_board)


def test_publishing_keeps_verdicts(case: Any, old_board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case.read()
    from leaderboard.pages.export import records

    published = case.folder.parent / "published" / "old"
    published.mkdir(parents=True)
    for name in ("run.json", "matrix.csv"):
        (published / name).write_bytes((old_board / name).read_bytes())
    (published / "records.jsonl").write_text(records(case.read()))
    monkeypatch.setattr(publish, "PUBLISHED", published.parent)
    for _ in range(2):
        publish.remake(published)
        assert "1 of 3 verdicts changed" in (published / "changed.md").read_text()
    assert (published / KEPT).exists()
