"""matrix.csv, records.jsonl and how they reach the disk."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmark.errors import BenchError
from leaderboard.pages.export import matrix_csv, records, write_pages


def lines(board: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(matrix_csv(board))))


def test_the_csv_agrees_with_the_board(full: Any) -> None:
    board = full.board()
    found = lines(board)
    assert len(found) == len(board.cells)
    for line, cell in zip(found, board.cells, strict=True):
        assert (line["scheme"], line["attack"], line["verdict"]) == (cell.scheme, cell.attack, cell.verdict.word)
        assert line["innocent"] == str(cell.innocent)
        assert line["reason"] == (cell.verdict.reason or "")
        assert line["flags"] == " ".join(cell.verdict.flags)
        assert line["verdict_with_commitment"] == (cell.committed.word if cell.committed else "")
        assert line["log10_p"] == (str(cell.after.log10_p) if cell.after else "")
        assert line["total"] == (str(cell.after.total) if cell.after else "")
        assert line["fresh_total"] == (str(cell.before.total) if cell.before else "")
        assert line["job_judged"] == cell.jobs.get("judged", "")
        if cell.utility:
            assert float(line["utility_change"]) == pytest.approx(-100 * cell.utility.delta)
    assert {line["alpha"] for line in found} == {"0.001"}


def test_the_csv_gives_null_pools_gates_and_channels(full: Any) -> None:
    line = next(line for line in lines(full.board()) if line["attack"] == "unprovable")
    assert (line["nulls"], line["null_max"], line["fresh_state"]) == ("16", "13", "present")
    assert (line["gates"], line["channels"]) == ("fidelity lost -20.0", "carried 60/100")


def test_the_csv_gives_the_change_against_a_net_that_was_trained_as_long(case: Any) -> None:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "prune", 5, wrong=12)
    assert "change_against_unmarked" not in lines(case.board())[0]
    twin = case.model("twin", "twin of adi", [shared["marked"]], wrong=4)
    case.run["cells"][0]["jobs"]["twin"] = twin
    (line,) = lines(case.board())
    assert (float(line["change_against_unmarked"]), line["job_twin"]) == (pytest.approx(-2.0), twin)
    low, high = (float(line[f"change_against_unmarked_{end}"]) for end in ("low", "high"))
    assert low < -2.0 < high < 0


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@sum", " \t=1+1"])
def test_formulas_are_quoted_and_numbers_are_not(case: Any, name: str) -> None:
    shared = case.scheme(name)
    case.hit(shared, name, name, 5, wrong=4)
    (line,) = lines(case.board())
    assert line["scheme"] == f"'{name.strip()}"
    assert float(line["utility_change"]) == pytest.approx(-1.0)


def test_a_cell_is_one_line_whatever_its_reason(case: Any) -> None:
    shared = case.scheme("adi")
    case.hit(shared, "adi", "prune", 5, status="crashed", reason='first,\nsecond\r\n"third"')
    text = matrix_csv(case.board())
    assert len(text.splitlines()) == 2
    assert lines(case.board())[0]["reason"] == 'first, second "third"'


def test_an_empty_matrix_has_its_header(case: Any) -> None:
    assert matrix_csv(case.board()).startswith("run,scheme,attack,kind,")


def test_every_record_is_exported_sorted_by_id(full: Any) -> None:
    board = full.board()
    found = [json.loads(line) for line in records(board.run).splitlines()]
    assert [record["id"] for record in found] == sorted(board.run.records)
    assert {record["id"]: record for record in found} == dict(board.run.records)


def test_pages_are_written_whole(full: Any, tmp_path: Path) -> None:
    folder = tmp_path / "pages" / "here"
    board = full.board()
    paths = write_pages(board, folder)
    assert sorted(path.name for path in folder.iterdir()) == [
        "attacks", "claims.md", "heat-map.svg", "innocents.md", "leaderboard.html", "leaderboard.json",
        "leaderboard.md",
        "leaderboard.tex", "legend.md", "matrix-ambiguity.md", "matrix-removal.md", "matrix.csv", "protocol.md",
        "reasons.md", "records.jsonl", "schemes", "scores.md", "works.bib",
    ]  # fmt: skip
    assert sorted(path.name for path in (folder / "schemes").iterdir()) == ["adi.md", "weak.md"]
    assert {*paths} == {path for path in folder.rglob("*") if path.is_file()}
    assert (folder / "matrix.csv").read_bytes().decode() == matrix_csv(board)


def test_figures_never_stand_beside_another_board(full: Any, tmp_path: Path) -> None:
    drawn = {path for path in write_pages(full.board(), tmp_path, figures=True) if path.parent.name == "figures"}
    assert sorted(path.name for path in drawn) == [f"false-positives.{kind}" for kind in ("pdf", "png", "svg")]
    write_pages(full.board(), tmp_path)
    assert set((tmp_path / "figures").iterdir()) == drawn
    write_pages(full.board(alpha=0.05), tmp_path)
    assert list((tmp_path / "figures").iterdir()) == []


def test_a_page_that_can_not_be_written_leaves_the_old_one(
    full: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pages"
    write_pages(full.board(), folder)
    before = (folder / "matrix.csv").read_text()

    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(BenchError, match="No space left"):
        write_pages(full.board(alpha=0.05), folder)
    assert (folder / "matrix.csv").read_text() == before
    assert not [path for path in folder.iterdir() if path.name.endswith(".tmp")]


def test_a_folder_that_is_a_file_is_a_users_mistake(full: Any, tmp_path: Path) -> None:
    (tmp_path / "pages").write_text("")
    with pytest.raises(BenchError, match="can't be written"):
        write_pages(full.board(), tmp_path / "pages")
