"""A row goes out as a bundle and comes in on another board: unverified, verified or refuted, never by its own word."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bench import bench_here, edit, resealed

PRUNE = "prune(amount=0.3)"
FULL = "prune(amount=0.3,layers=all)"


def bundled_row(results: Path, out: Path, name: str) -> Path:
    code, _, error = bench_here("bundle", "--row", name, "--out", str(out), "--results", str(results), "--run", "small")
    assert code == 0, error
    return out


@pytest.fixture(scope="module")
def row(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of the row of pruning: one cell of a marked model, one of an innocent. Copy it to change it."""
    return bundled_row(finished, tmp_path_factory.mktemp("row") / "prune", "prune")


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """The run as a board that imports rows."""
    return shutil.copytree(finished, tmp_path / "results")


def imported(folder: Path, results: Path) -> tuple[int, str, str]:
    return bench_here("import", str(folder), "--results", str(results), "--run", "small")


def replayed(folder: Path, results: Path) -> tuple[int, str, str]:
    return bench_here("replay", str(folder), "--results", str(results), "--run", "small", "--device", "cpu")


def sha256(folder: Path) -> str:
    seal: str = json.loads((folder / "MANIFEST.json").read_text())["sha256"]
    return seal


def section(results: Path) -> str:
    """The rows from outside on the run's page; "" where there are none."""
    _, _, after = (results / "small" / "leaderboard.md").read_text().partition("## Rows from outside\n")
    return after.split("\n## ")[0]


def everything(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_row_has_every_cell_and_replays(row: Path, finished: Path) -> None:
    from leaderboard.judge.board import judge
    from leaderboard.judge.run import find_run, read_run

    whole, alone = judge(find_run(finished / "small")), judge(read_run(row))
    wanted = [(cell.scheme, cell.innocent, cell.verdict, cell.after) for cell in whole.cells if cell.attack == PRUNE]
    assert [(cell.scheme, cell.innocent, cell.verdict, cell.after) for cell in alone.cells] == wanted
    assert {innocent for _, innocent, _, _ in wanted} == {True, False}
    code, output, error = bench_here("replay", str(row), "--device", "cpu", "--json")
    assert code == 0, error
    found = json.loads(output)
    assert (found["row"], found["outcome"], found["sha256"]) == ("prune", "equal", sha256(row))
    assert [(one["cell"]["attack"], one["cell"]["innocent"], one["outcome"]) for one in found["cells"]] == [
        (FULL, False, "equal"), (FULL, True, "equal"),
    ]  # fmt: skip


def test_the_command_of_a_row_names_all_of_it(row: Path) -> None:
    command = json.loads((row / "run.json").read_text())["command"]
    assert "--schemes adi" in command.replace("'", "")
    assert f"--attacks '{PRUNE}'" in command


def test_a_schemes_row_has_all_its_attacks(finished: Path, tmp_path: Path) -> None:
    folder = bundled_row(finished, tmp_path / "row", "adi")
    described = json.loads((folder / "run.json").read_text())
    of_the_run = json.loads((finished / "small" / "run.json").read_text())
    assert described["cells"] == of_the_run["cells"]
    code, output, error = bench_here("replay", str(folder), "--device", "cpu")
    assert code == 0, error
    assert output.splitlines()[-1].split() == ["result", "equal"]
    assert output.count("\nequal ") == sum("jobs" in cell and bool(cell["jobs"]) for cell in described["cells"])


def test_a_row_comes_in_unverified_and_a_replay_verifies_it(row: Path, results: Path) -> None:
    store = everything(results / "store")
    assert bench_here("report", "--results", str(results), "--run", "small")[0] == 0
    matrix = (results / "small" / "matrix.csv").read_bytes()
    code, output, error = imported(row, results)
    assert code == 0, error
    assert "unverified" in output
    assert sha256(row) in section(results)
    assert "**unverified**" in section(results)
    assert FULL in section(results).replace("\\", "")
    assert replayed(row, results)[0] == 0
    assert "**verified**: equal, by " in section(results)
    assert bench_here("report", "--results", str(results), "--run", "small")[0] == 0
    assert "**verified**: equal, by " in section(results)
    assert "Rows from outside" in (results / "small" / "leaderboard.html").read_text()
    assert (results / "small" / "matrix.csv").read_bytes() == matrix
    assert everything(results / "store") == store
    code, _, error = imported(row, results)
    assert (code, "has this bundle already" in error) == (2, True)


def test_a_lie_is_refuted_and_its_verdict_is_shown_no_more(row: Path, results: Path, tmp_path: Path) -> None:
    def lie(record: dict[str, Any]) -> None:
        record["result"]["observations"][0]["channels"]["triggers"]["hits"] = "0" * 40

    liar = edit(shutil.copytree(row, tmp_path / "liar"), "judged", lie)
    assert imported(liar, results)[0] == 0
    assert "removed" in section(results)
    assert replayed(liar, results)[0] == 4
    assert "**refuted**" in section(results)
    assert "removed" not in section(results)


def test_a_bundle_that_calls_itself_verified_is_not(row: Path, results: Path, tmp_path: Path) -> None:
    """Whatever lies in a bundle is kept below a folder of its own name, and only what pages need of it."""
    liar, entry = shutil.copytree(row, tmp_path / "liar"), {"schema": 1, "row": "prune", "version": "9", "files": {}}
    word = json.dumps({**entry, "imported": "now", "replayed": {"outcome": "equal", "version": "9", "at": "now"}})
    names = ("outside.json", "code/verified.json", "code/attack-more.py", f"outside/{sha256(row)}.json")
    for name in names:
        (liar / name).parent.mkdir(exist_ok=True)
        (liar / name).write_text(word)
    assert imported(resealed(liar), results)[0] == 0
    kept = results / "small" / "outside"
    code = {"code/attack-prune.py.txt", "code/scheme-adi.py.txt"}
    assert set(everything(kept / sha256(liar))) == {"run.json", "records.jsonl", *code}
    assert [path.name for path in kept.glob("*.json")] == [f"{sha256(liar)}.json"]
    assert "**unverified**" in section(results)


def test_what_was_changed_after_it_came_in_is_damaged(row: Path, results: Path) -> None:
    assert imported(row, results)[0] == 0
    kept = results / "small" / "outside" / sha256(row)
    text = (kept / "records.jsonl").read_text()
    (kept / "records.jsonl").write_text(text + "\n")
    code, _, error = bench_here("report", "--results", str(results), "--run", "small")
    assert code == 0, error
    assert "**damaged**: records.jsonl is not what was imported" in section(results)
    assert FULL not in section(results).replace("\\", "")
    (kept.parent / f"{sha256(row)}.json").write_text("[]")
    assert bench_here("report", "--results", str(results), "--run", "small")[0] == 0
    assert "**damaged**" in section(results)


def test_no_import_is_verified_by_another_bundles_replay(row: Path, bundled: Path, results: Path) -> None:
    assert imported(row, results)[0] == 0
    code, _, error = replayed(bundled, results)
    assert (code, f"has imported no bundle {sha256(bundled)}" in error) == (2, True)
    assert "**unverified**" in section(results)


def with_run(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], Path]:
    def changed(copy: Path) -> Path:
        described = json.loads((copy / "run.json").read_text())
        change(described)
        (copy / "run.json").write_text(json.dumps(described))
        return resealed(copy)

    return changed


def another_world(copy: Path) -> Path:
    return edit(copy, "fresh", lambda record: record["job"]["world"]["training"].update(epochs=99))


def of_two_seeds(copy: Path) -> Path:
    return edit(copy, "fresh", lambda record: record["job"].update(replicate=1))


def of_another_model(copy: Path) -> Path:
    """The examination of the release, named as that of the pruned model."""
    described = json.loads((copy / "run.json").read_text())
    return with_run(lambda run: run["cells"][0]["jobs"].update(judged=described["cells"][0]["jobs"]["fresh"]))(copy)


def with_a_long_name(copy: Path) -> Path:
    form = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps({**form, "row": "x" * 301}))
    return resealed(copy)


def linked(copy: Path) -> Path:
    whole = copy.parent / "outside.jsonl"
    (copy / "records.jsonl").rename(whole)
    (copy / "records.jsonl").symlink_to(whole)
    return copy


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_run(lambda run: run["profile"].update(architecture="resnet18")), "differ in architecture): import it"),
        (another_world, "another task or training"),
        (of_two_seeds, "several seeds"),
        (of_another_model, "the suspects of the job that stands as judged"),
        (with_a_long_name, "the name of a row has at most 300 signs"),
        (linked, "records.jsonl can't be read"),
        (with_run(lambda run: run.update(cells=[])), "no cell with a verdict"),
        (with_run(lambda run: run["cells"][1].update(jobs={})), "is no whole bundle"),
    ],
)  # fmt: skip
def test_what_no_board_can_show_is_one_sentence_and_changes_nothing(
    row: Path, results: Path, tmp_path: Path, change: Callable[[Path], Path], said: str
) -> None:
    before = everything(results)
    code, _, error = imported(change(shutil.copytree(row, tmp_path / "copy")), results)
    assert (code, said in error, "\n" in error) == (2, True, False), error
    assert everything(results) == before


def test_a_row_that_is_not_whole_or_not_there_is_one_sentence(finished: Path, results: Path, tmp_path: Path) -> None:
    def bundle(where: Path, *words: str) -> str:
        out = ("--out", str(tmp_path / "b"), "--results", str(where), "--run", "small")
        code, _, error = bench_here("bundle", *words, *out)
        assert code == 2
        return error

    assert "no attack and no scheme 'prume': did you mean prune" in bundle(finished, "--row", "prume")
    assert "or a whole row with --row NAME" in bundle(finished, "--row", "prune", "--seed", "0")
    assert "or a whole row with --row NAME" in bundle(finished)
    described = json.loads((results / "small" / "run.json").read_text())
    job = next(one["jobs"]["judged"] for one in described["cells"] if one["attack"] == PRUNE)
    (results / "store" / "records" / job[:2] / f"{job}.json").unlink()
    shutil.rmtree(results / "small" / "figures", ignore_errors=True)
    (results / "small" / "records.jsonl").unlink()
    assert "is not-run, and a row is bundled whole" in bundle(results, "--row", "prune")
    assert not (tmp_path / "b").exists()
