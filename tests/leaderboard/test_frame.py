"""`leaderboard.frame`: the judged cells as a pandas table, the same as the board, documented column by column."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmark.errors import BenchError
from leaderboard import frame
from leaderboard.dataframe import COLUMNS, dictionary
from leaderboard.pages.export import matrix_csv, write_pages

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "data-dictionary.md"


def test_one_row_per_judged_cell(full: Any) -> None:
    board = full.board()
    found = frame(board)
    assert list(found.verdict) == [cell.verdict.word for cell in board.cells]
    assert list(zip(found.scheme, found.attack, strict=True)) == [(cell.scheme, cell.attack) for cell in board.cells]
    assert found.innocent.sum() == sum(cell.innocent for cell in board.cells)


def test_columns_and_types_are_those_declared(full: Any) -> None:
    found = frame(full.board())
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {c.name: c.dtype for c in COLUMNS}


def test_types_are_the_same_where_no_cell_has_a_value(case: Any) -> None:
    case.scheme("adi")
    found = frame(case.board())
    assert len(found) == 0
    assert {name: str(dtype) for name, dtype in found.dtypes.items()} == {c.name: c.dtype for c in COLUMNS}


def test_the_page_documents_every_column() -> None:
    _, table = PAGE.read_text().split("\n\n| column", 1)
    assert f"| column{table}" == dictionary(), "put what python -m leaderboard.dataframe prints into the page"


def test_what_a_cell_lacks_is_missing_and_never_zero(full: Any) -> None:
    found = frame(full.board()).set_index("attack")
    crashed = found.loc["crashed"]
    assert crashed.reason == "ValueError: wrong shape (prune.py:12)"
    assert crashed[["total", "log10_p", "utility_change", "verdict_with_commitment", "utility_losses"]].isna().all()
    assert crashed[["inverted", "fresh_views"]].isna().all()
    dtypes = {column.name: column.dtype for column in COLUMNS}
    kinds = {(dtypes[str(name)], value is pd.NA) for name, value in crashed.items() if pd.isna(value)}
    assert kinds == {("float64", False), ("category", False), ("string", True), ("Int64", True), ("boolean", True)}
    unreadable = found.loc["unreadable"]
    assert (unreadable.total, unreadable.log10_p) == (0.0, 0.0)


def test_units_are_those_of_the_dictionary(full: Any) -> None:
    board = full.board()
    found = frame(board).set_index("attack").loc["utility-lost"]
    (cell,) = board.at("adi", "utility-lost")
    assert (found.unit, found.utility_change, found.accuracy) == ("points", -20.0, 0.8)
    assert found.utility_change_low < found.utility_change < found.utility_change_high
    assert found.of_training_a_host == 1.0
    assert (found.seconds, found.steps) == (cell.cost.seconds, cell.cost.steps)


def test_thresholds_may_be_others_than_the_run_s(full: Any) -> None:
    run = full.read()
    lenient, usual = frame(run, alpha=0.05), frame(run)
    assert (set(lenient.alpha), set(usual.alpha)) == ({0.05}, {0.001})
    assert (lenient.state == "present").sum() > (usual.state == "present").sum()
    assert set(frame(full.board(), budget=2).budget) == {2.0}
    with pytest.raises(BenchError, match="alpha must lie between 0 and 1"):
        frame(run, alpha=2)


def test_a_results_folder_is_read_with_the_store_beside_it(full: Any) -> None:
    board = full.board()
    run = full.folder / "made-up"
    run.mkdir()
    (full.folder / "run.json").rename(run / "run.json")
    pd.testing.assert_frame_equal(frame(run), frame(board))
    (full.folder / "store").rename(full.folder / "elsewhere")
    write_pages(board, run)  # the folder's own records.jsonl is enough
    pd.testing.assert_frame_equal(frame(str(run)), frame(board))


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"holds no run\.json"):
        frame(tmp_path / "nothing")


def test_published_boards_have_names() -> None:
    pd.testing.assert_frame_equal(frame("denoise"), frame(ROOT / "leaderboard" / "published" / "denoise"))
    pd.testing.assert_frame_equal(frame("denoise"), frame("published:denoise"))
    with pytest.raises(BenchError, match="no published board is called 'denoize': did you mean denoise"):
        frame("published:denoize")


def test_the_csv_holds_the_same_numbers(full: Any) -> None:
    board = full.board()
    read, made = pd.read_csv(io.StringIO(matrix_csv(board))), frame(board)
    against = "change_against_unmarked"
    missing = {against, f"{against}_low", f"{against}_high", "job_twin"}  # on a board from before there were twins
    missing |= {
        "key_images",
        "key_images_held",
        "deciding_channel",
        "views",
        "fresh_views",
        "member",
    }  # on one that has nothing for them
    assert list(read) == [name for name in made if name not in missing]
    for column in COLUMNS:
        if column.name not in missing and column.dtype in ("float64", "Int64", "int64"):
            pd.testing.assert_series_equal(read[column.name].astype("float64"), made[column.name].astype("float64"))


def test_the_example_of_the_dictionary_runs(full: Any, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    board = full.board()
    write_pages(board, full.folder)
    names: dict[str, Any] = {}
    exec(example.replace("results/quick", str(full.folder)), names)
    assert len(names["marked"]) == len(board.owners())
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "verdict"
    assert any(row.startswith("weak") for row in rows)
