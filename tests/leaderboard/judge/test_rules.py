"""Rules have a version: what a board was called under older ones is kept beside its records, once, and compared."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchError
from leaderboard.judge.board import judge
from leaderboard.judge.published import PUBLISHED
from leaderboard.judge.rules import CHANGES, RULES, earlier_boards, keep_verdicts, short
from leaderboard.judge.run import described_run
from leaderboard.pages import publish
from leaderboard.pages.board_json import document
from leaderboard.pages.export import matrix_csv, write_pages
from leaderboard.pages.sections.changed import changed

from ..conftest import ADMISSION, observation

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


def test_verdicts_at_other_thresholds_are_not_compared(case: Any, old_board: Path) -> None:
    for alpha, budget in ((0.01, None), (None, 4.0)):
        write_pages(case.board(alpha, budget), old_board)
        (earlier,) = earlier_boards(old_board)
        assert {(one.alpha, one.budget) for one in earlier.verdicts} == {(0.001, 5.0)}
        assert not (old_board / "changed.md").exists()
    write_pages(case.board(), old_board)
    assert "1 of 3 verdicts changed since rules 1" in (old_board / "changed.md").read_text()


def test_what_a_gate_did_not_change_is_not_called_by_it(case: Any, old_board: Path) -> None:
    """Each cell here has a gate; one that a court may not refuse for it needs another reason."""
    shared = case.scheme("adi")
    for attack, hits, gate_wrong in (("kept", 22, 0), ("lost", 96, 80), ("unclear", 96, 20)):
        case.hit(shared, "adi", attack, observation(hits, gate_wrong))
    committed = ADMISSION | {"committed": True}
    case.hit(shared, "adi", "claim", observation(22, 0), kind="ambiguity", admission=committed)
    write_pages(case.board(), old_board)
    words = {"kept": "undecided", "claim": "undecided", "lost": "survived", "unclear": "survived"}
    (earlier,), board = earlier_boards(old_board), case.board()
    more = [
        replace(earlier.verdicts[0], attack=name, kind=cell.kind, verdict=word, job=short(cell.jobs["judged"]))
        for name, word in words.items()
        for cell in board.at("adi", name)
    ]
    found = changed(replace(board, earlier=[replace(earlier, verdicts=more)])).parts[0].rows
    assert {str(row[-1]).split("×")[1].split()[0]: row[2] for row in found} == {
        **dict.fromkeys(("kept", "claim"), "p_key alone decides"),
        **dict.fromkeys(("lost", "unclear"), "a gate refuses the owner's claim, or may"),
    }


def told(**given: str) -> Callable[[Path], None]:
    """The same matrix.csv with other fields in its first row."""

    def tell(matrix: Path) -> None:
        lines = list(csv.DictReader(io.StringIO(matrix.read_text())))
        lines[0] |= given
        with matrix.open("w", newline="") as file:
            writer = csv.DictWriter(file, lines[0], restval="1")
            writer.writeheader()
            writer.writerows(lines)

    return tell


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def endless(path: Path) -> None:
    """So large that nobody could hold it, and empty on the disk."""
    with path.open("ab") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda matrix: matrix.write_bytes(b"\xff\xfe"),
        lambda matrix: matrix.write_text("job_judged,alpha,budget\nab,0.001,2.0\n"),
        *(told(rules=rules) for rules in ("x", "0", "-1", "9" * 5000, "1.0")),
        told(alpha="small"),
        told(scheme='"'),
        piped,
        endless,
    ],
    ids=["bytes", "columns", "x", "none", "minus", "huge", "float", "alpha", "control", "pipe", "endless"],
)
def test_a_page_that_can_not_be_read_tells_of_no_verdicts(
    case: Any, old_board: Path, spoil: Callable[[Path], object], request: pytest.FixtureRequest
) -> None:
    """Each of these ended `bench report` and `bench run` with a traceback, hung it, or stopped every later report."""
    spoil(old_board / "matrix.csv")
    board = case.board()
    write_pages(board, old_board)
    whole = request.node.callspec.id == "control"
    assert (old_board / KEPT).exists() is whole
    assert (old_board / "matrix.csv").read_text() == matrix_csv(board)


@pytest.mark.parametrize("name", ["matrix-x.md", "schemes/x.md", "matrix.csv"])
def test_no_page_is_waited_for(case: Any, old_board: Path, name: str) -> None:
    (old_board / name).parent.mkdir(exist_ok=True)
    (old_board / name).unlink(missing_ok=True)
    os.mkfifo(old_board / name)
    write_pages(case.board(), old_board)


def test_verdicts_are_not_unpacked_without_end(old_board: Path) -> None:
    packed = gzip.compress(b"x" * (2 << 20))
    (old_board / KEPT).write_bytes(packed)
    with pytest.raises(BenchError, match="a line is larger than 1024 KiB"):
        earlier_boards(old_board)
    piped(old_board / KEPT)
    with pytest.raises(BenchError, match="no regular file"):
        earlier_boards(old_board)


@pytest.mark.parametrize(
    "damaged",
    [
        lambda whole: b"no archive",
        lambda whole: whole[:-9],
        lambda whole: whole[:10] + b"\xff" * 40,
        lambda whole: gzip.compress(b"scheme,attack\nadi,prune\n"),
        lambda whole: gzip.compress(gzip.decompress(whole).replace(b"0.001", b"small")),
    ],
    ids=["archive", "cut", "stream", "columns", "number"],
)
def test_damaged_verdicts_are_named(old_board: Path, damaged: Callable[[bytes], bytes]) -> None:
    (old_board / KEPT).write_bytes(damaged(keep_verdicts(old_board)[KEPT]))
    with pytest.raises(BenchError, match=f"{KEPT} can't be read"):
        earlier_boards(old_board)


@pytest.mark.parametrize("name", sorted({path.parent.name for path in PUBLISHED.glob("*/verdicts-rules-*.csv.gz")}))
def test_kept_verdicts_are_of_the_board_that_they_lie_beside(name: str) -> None:
    """Where another board took a name, the verdicts of the one before would speak of jobs that are not there."""
    planned = {short(job) for job in described_run(PUBLISHED / name)["jobs"]}
    kept = [verdict for board in earlier_boards(PUBLISHED / name) for verdict in board.verdicts]
    assert kept
    assert [one for one in kept if one.job not in planned] == []
    assert (PUBLISHED / name / "changed.md").is_file()


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
