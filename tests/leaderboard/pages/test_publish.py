"""What is published comes from the committed records, to the letter."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from markdown_text import tables

from benchmark import __version__
from benchmark.identity import job_id
from benchmark.planning.reproduction import load_reproduction, works
from leaderboard.analysis.error_rates import ALPHAS, allowed, calibrate, failures
from leaderboard.analysis.reproduction import outcomes
from leaderboard.pages.publish import INDEX_FILE, PUBLISHED, README_FILE, WRT_FILE, write_published
from leaderboard.pages.studies import wrt
from leaderboard.pages.studies.published_index import index_page
from leaderboard.pages.studies.readme import SHOWN, readme
from leaderboard.pages.writers.markdown import table

from ..conftest import published_board as board_of
from ..unpacked_page import comparable

RUNS = sorted(path.parent.name for path in PUBLISHED.glob("*/run.json.gz"))


@pytest.mark.parametrize("name", ["quick", "quick-0.1"])
def test_the_quick_board_is_published(name: str) -> None:
    board = board_of(name)
    without = [job for job in board.run.described["jobs"] if job not in board.run.records]
    faults = {(board.run.fault(job) or ("none", ""))[0] for job in without}
    assert faults <= {"not-applicable"}  # what an attack that can't be run would have led to
    assert {cell.verdict.word for cell in board.cells} >= {"survived", "removed", "forged", "rejected", "not-marked"}


@pytest.mark.parametrize("name", RUNS)
def test_pages_come_out_of_the_records(name: str, tmp_path: Path) -> None:
    pages = write_published(name, tmp_path)
    kept = {
        path.relative_to(PUBLISHED / name): comparable(path)
        for path in (PUBLISHED / name).rglob("*")
        if path.is_file() and path.suffix != ".gz" and path.name != "secret.txt"
    }
    made = {path.relative_to(tmp_path): comparable(path) for path in pages}
    assert made.keys() == kept.keys()
    assert [page for page in made if made[page] != kept[page]] == [], "run python -m leaderboard.pages.publish"


@pytest.mark.parametrize("work", works())
def test_every_work_s_reproduction_is_published(work: str) -> None:
    """At small scale at least; what this version's file of the work holds is what was declared before its run."""
    name = load_reproduction(work).run_name("small")
    assert name in RUNS
    board = board_of(name)
    declared = board.run.described["reproduction"]["sha256"]
    assert declared == load_reproduction(work).digest or board.run.described["version"] != __version__
    assert not [
        one for one in outcomes(board) if (one.reason or "").startswith(("crashed", "timeout", "oom", "not-run"))
    ]


def test_the_index_of_what_is_published_comes_out_of_the_records() -> None:
    text = INDEX_FILE.read_text()
    assert text == index_page({name: board_of(name) for name in RUNS}), "run python -m leaderboard.pages.publish"
    linked = re.findall(r"\]\((published/[^)#]+)", text)
    assert {link.split("/")[1] for link in linked} == {*RUNS}
    assert [link for link in linked if not (INDEX_FILE.parent / link).is_file()] == []


def test_a_published_run_has_a_line_of_its_own(full: Any) -> None:
    ((_, row),) = tables(index_page({"made-up": full.board()}))
    name, tasks, schemes, attacks, seeds, version, made, finding = row
    assert (name, tasks) == ("[made-up](published/made-up/leaderboard.md)", "digits (convnet)")
    assert (schemes, attacks, seeds, version, made) == ("2", "20", "1", "0.1.0", "2026-01-01")
    assert finding.startswith("None of 1 marks survived every attack that was run;")
    assert "](published/made-up/schemes/adi.md#" in finding


def test_no_published_page_is_too_large_to_be_shown() -> None:
    """GitHub shows no markdown above some hundred kilobytes; links between the pages lead somewhere."""
    pages = sorted(PUBLISHED.rglob("*.md"))
    assert [path.name for path in pages if path.stat().st_size > 200_000] == []
    for path in pages:
        linked = re.findall(r"(?<!\\)\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
        assert [link for link in linked if not (path.parent / link).is_file() and "://" not in link] == []


def test_what_the_readme_shows_comes_out_of_the_records() -> None:
    text = README_FILE.read_text()
    assert text == readme({name: board_of(name) for name in RUNS}, text), "run python -m leaderboard.pages.publish"
    linked = re.findall(r"\]\((leaderboard/[^)#]+)", text)
    assert len(linked) >= 12
    assert [link for link in linked if not (README_FILE.parent / link).is_file()] == []


def test_a_readme_without_its_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="lost the marks around its boards"):
        readme({SHOWN: board_of(SHOWN)}, README_FILE.read_text().replace("<!-- end of boards -->", ""))


def test_the_cells_of_the_issue_come_out_as_the_papers_say() -> None:
    board = board_of("quick-0.1")

    def word(scheme: str, attack: str) -> str:
        return board.at(scheme, attack)[0].verdict.word

    assert word("rose(s=40)", "finetune(mode=ftal,lr=0.05,epochs=20)") == "removed"
    assert word("adi(mode=scratch,lr=0.05)", "prune(amount=0.3)") == "survived"
    assert word("adi(mode=scratch,lr=0.05)", "distill(architecture=house)") == "removed"
    passport = "passport(version=v1,recipe=shuffle,binding=identity,norm=house,epochs=0)"
    assert word(passport, "quantize(bits=8)") == "survived"
    assert word(passport, "fake1(passports=noise)") == "rejected"


def test_rose_embeds_on_cifar10_where_key_images_join_every_batch() -> None:
    """docs/decisions.md says so."""
    totals = {
        setting: sorted(cell.after.total for cell in board_of("cifar10-small").at(setting, "none"))
        for setting in ("rose(s=40)", "rose(s=40,repeat=8)")
    }
    assert totals == {"rose(s=40)": [6, 9, 12], "rose(s=40,repeat=8)": [40, 40, 40]}


@pytest.mark.parametrize(
    "forger",
    ["fake1(passports=trained)", "fake2(lr=0.01)", "fake2(lr=0.2)", "fake3(alpha=0.1)", "fake3(alpha=0.03)",
     "accessory-block"],
)  # fmt: skip
def test_every_forger_that_was_declared_to_stand_on_free_bits_does(forger: str) -> None:
    free = "passport(version=v1,recipe=shuffle,binding=free,norm=house,epochs=0)"
    words = [cell.verdict.word for cell in board_of("quick-0.1").at(free, forger)]
    assert len(words) == 5
    assert words.count("forged") >= 4
    bound = [cell.verdict.word for cell in board_of("quick-0.1").at(free.replace("free", "passports"), forger)]
    assert bound == ["rejected"] * 5


@pytest.mark.parametrize(
    ("run", "n", "given"), [("fmnist-alexnet", 224, (214, 143)), ("fmnist-resnet18", 320, (294, 140))]
)
def test_what_the_decisions_say_of_a_stranger_s_passports(run: str, n: int, given: tuple[int, int]) -> None:
    """The owner's signs that they give, shuffled and signed: carried scales are the owner's in a claim on V1."""
    cells = [cell for cell in board_of(run).owners("ambiguity") if cell.attack == "fake1(passports=trained)"]
    found = [cell.channels["carried_bits"][1] for cell in cells]
    assert [(one.total, one.n) for one in found] == [(count, n) for count in given]
    assert {cell.verdict.word for cell in board_of(run).owners("ambiguity")} == {"rejected"}
    text = " ".join((README_FILE.parent / "docs" / "decisions.md").read_text().split())
    assert f"{given[0]} of {n}" in text


@pytest.mark.parametrize("name", RUNS)
def test_a_published_record_is_named_by_its_job(name: str) -> None:
    """By whatever rule its code was digested: boards are not made again for a newer one."""
    records = board_of(name).run.records
    assert all(job_id(record["job"]) == id for id, record in records.items())
    assert {record.get("identity", 1) for record in records.values()} <= {1, 2, 3}


def test_no_page_needs_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from leaderboard.pages.publish import write_published;"
        f"write_published('denoise', Path({str(tmp_path)!r}));"
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert (tmp_path / "leaderboard.md").exists()


def examples() -> list[str]:
    """The README's code: a scheme, and how to call the benchmark from Python."""
    found = re.findall(r"```python\n(.*?)```", README_FILE.read_text(), re.DOTALL)
    assert len(found) == 2
    return found


def test_the_readme_s_scheme_holds_the_contract(tmp_path: Path) -> None:
    from bench import bench_here

    scheme = examples()[0]
    assert len(scheme.splitlines()) <= 40
    (tmp_path / "pictures.py").write_text(scheme)
    code, output, error = bench_here("check", str(tmp_path / "pictures.py"))
    assert code == 0, output + error


def test_the_readme_s_lines_of_python_are_those_of_the_package() -> None:
    import benchmark as wb

    calls = re.findall(r"wb\.(\w+)\(", examples()[1])
    assert {"frame", "run"} <= set(calls)
    assert all(callable(getattr(wb, name)) for name in calls)


@pytest.mark.skipif("calibrate" not in RUNS, reason="no calibration is published")
def test_the_published_error_rates_are_within_their_limits() -> None:
    """2,000 admissible fresh keys for every scheme that has the test, and innocents of every pool beside them."""
    found = calibrate(board_of("calibrate").run)
    tested = [one.fresh_keys for one in found if one.fresh_keys]
    assert {(one.draws, one.admissible) for one in tested} == {(2000, 2000)}
    for one in tested:
        assert [allowed(2000, alpha) for alpha in ALPHAS] == [131, 8, 1]
        for alpha, rate in one.accusing.items():
            assert rate.n >= 2000
            assert rate.count <= allowed(rate.n, alpha), (alpha, rate)
    assert failures(found) == []
    assert {one.scheme.partition("(")[0] for one in found} >= {"adi", "rose", "keynet", "passport", "deepmodel"}
    assert {one.scheme.partition("(")[0] for one in found if one.fresh_keys} >= {"adi", "rose", "keynet", "passport"}
    assert all(one.no_fresh_keys for one in found if one.fresh_keys is None)
    assert all(one.fresh_keys.crossed for one in found if one.fresh_keys and one.scheme.startswith("keynet"))
    assert all(len(one.pools) == 5 and one.power for one in found)


@pytest.mark.skipif("calibrate" not in RUNS, reason="no calibration is published")
def test_crossed_jobs_drew_the_same_keys() -> None:
    """The keys of one null's job are the first that the job of all nulls drew on that null."""
    run = board_of("calibrate").run
    entries = [entry for entry in run.described["calibration"] if entry["crossed"]]
    assert entries
    for entry in entries:
        drawn, alone = run.result(entry["drawn"]), run.result(entry["crossed"][0])
        assert drawn is not None
        assert alone is not None
        first = drawn["models"].count(0)
        assert drawn["observations"][:first] == alone["observations"][:first]


def test_the_cells_beside_the_toolbox_are_those_of_the_boards() -> None:
    text = WRT_FILE.read_text()
    assert text == wrt.written(text, table(wrt.ours())), "run python -m leaderboard.pages.publish"
    row = next(line for line in text.splitlines() if line.startswith("| adi | FTAL | cifar10-small-0.1 |"))
    (cell,) = board_of("cifar10-small-0.1").at("adi(mode=scratch,lr=0.05)", "finetune(mode=ftal,lr=0.01,epochs=10)")
    assert f"| {cell.after.total:.0f}/{cell.after.n} | {cell.verdict.word} 1/1 |" in row
