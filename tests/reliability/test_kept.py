"""Nothing that a run has finished is lost by a later command, and what is damaged is named with what helps."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from bench import COMMAND, arguments, bench, bench_here, records, stamps, verdicts

SOME = "none,prune(amount=0.3)"


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to change at will."""
    return shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)


def own_records(results: Path, run: str = "small") -> list[str]:
    return (results / run / "records.jsonl").read_text().splitlines()


def damaged(results: Path) -> list[str]:
    """The files that `bench store verify` calls damaged."""
    _, output, _ = bench_here("store", "verify", "--results", str(results), "--json")
    return [finding["name"] for finding in json.loads(output)["findings"] if finding["kind"] == "damaged"]


def test_fresh_on_a_device_that_is_not_there_costs_nothing(results: Path) -> None:
    before = stamps(results)
    code, said, error = bench_here(*arguments(results, "--fresh")[:-3], "--device", "cuda", "--fresh")
    assert code == 2, said + error
    assert stamps(results) == before
    assert own_records(results)


def test_an_interrupted_fresh_run_leaves_the_rest_as_it_was(finished: Path, results: Path) -> None:
    before = stamps(results)
    words = [*COMMAND, *arguments(results, "--fresh", "--workers", "1")]
    run = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(stamps(results).items() & before.items()) > len(before) - 2 and run.poll() is None:
        time.sleep(0.05)
    run.terminate()
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 143
    assert 0 < len(left := stamps(results).items() & before.items()) < len(before)
    assert f"{len(left)} jobs were not made anew: their earlier records stay, and count until they are" in output
    assert records(results) == records(finished)
    code, said, _ = bench_here(*arguments(results))
    assert (code, f"0 jobs to run, {len(before)} finished before" in said) == (0, True)


def test_two_runs_at_once_share_one_store(finished: Path, results: Path) -> None:
    for path in sorted((results / "store" / "records").glob("*/*.json"))[:4]:
        path.unlink()
    words = [*COMMAND, *arguments(results, "--workers", "1")]
    runs = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = [run.communicate(timeout=240)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0]
    assert records(results) == records(finished)
    assert sorted("in use by another run" in output for output in outputs) == [False, True]
    jobs = sorted(line for output in outputs for line in output.splitlines() if "jobs to run" in line)
    assert [line.split()[0] for line in jobs] == ["0", "4"]


def test_a_report_without_a_store_reads_the_runs_own_records(results: Path) -> None:
    before, found = own_records(results), verdicts(results)
    shutil.rmtree(results / "store")
    code, _, error = bench_here("report", "--results", str(results), "--run", "small")
    assert code == 0, error
    assert (own_records(results), verdicts(results)) == (before, found)


def test_a_report_never_writes_less_than_it_found(results: Path) -> None:
    before, found = own_records(results), verdicts(results)
    for path in sorted((results / "store" / "records").glob("*/*.json"))[::3]:
        path.unlink()
    code, _, error = bench_here("report", "--results", str(results), "--run", "small")
    assert code == 0, error
    assert (own_records(results), verdicts(results)) == (before, found)


def test_every_command_names_a_damaged_record_and_what_helps(results: Path) -> None:
    path = next((results / "store" / "records").glob("*/*.json"))
    path.write_bytes(path.read_bytes().replace(b'"status":"ok"', b'"status":"oj"'))
    _, _, said = bench_here("status", "--results", str(results), "--run", "small")
    assert f"{path}.damaged: status must be one of" in said
    assert "it is left out, and `bench run --schemes" in said
    assert bench_here(*arguments(results))[0] == 0


def test_another_selection_keeps_the_first_board(results: Path) -> None:
    first = {path.name: path.read_bytes() for path in (results / "small").iterdir() if path.is_file()}
    code, said, error = bench_here(*arguments(results, attacks=SOME))
    assert code == 0, error
    assert (
        f"{results / 'small'} held the board of another selection, which is now in {results / 'small-1'}"
        in " ".join(said.split())
    )
    assert {path.name: path.read_bytes() for path in (results / "small-1").iterdir() if path.is_file()} == first
    assert len(verdicts(results)) < len(verdicts(results, "small-1"))
    code, _, error = bench_here("report", "--results", str(results), "--run", "small-1")
    assert code == 0, error
    assert bench_here(*arguments(results, "--alpha", "0.01", attacks=f"jpeg,{SOME}"))[0] == 0
    assert not (results / "small-2").exists()  # one more column, another alpha: the board is included


def test_the_store_is_verified_and_what_it_advises_makes_it_whole(results: Path) -> None:
    place = ("--results", str(results))
    assert damaged(results) == []
    before = records(results)
    for path in sorted((results / "store").glob("*/*/*.service.safetensors"))[:2]:
        path.write_bytes(path.read_bytes()[:-1])
    code, output, _ = bench_here("store", "verify", *place, "--json")
    assert (code, len(damaged(results))) == (4, 2)
    remedy = json.loads(output)["remedies"]["small"]
    assert len(remedy["jobs"]) == 2
    assert remedy["command"].endswith("--retry damaged")
    code, said, error = bench_here(*arguments(results, "--retry", "damaged"))
    assert code == 0, error
    assert "2 jobs to run" in said
    assert damaged(results) == []
    assert records(results) == before


def test_gc_frees_what_no_run_needs(results: Path) -> None:
    place, all_of_them = ("--results", str(results)), records(results).keys()
    assert bench_here("store", "gc", *place)[1] == "freed: 0.0 MB (nothing)\n"
    described = json.loads((results / "small" / "run.json").read_text())
    kept = dict(list(described["jobs"].items())[:-3])
    (results / "small" / "run.json").write_text(json.dumps({**described, "jobs": kept}))
    _, output, _ = bench_here("store", "gc", *place, "--dry-run", "--json")
    assert json.loads(output)["dry_run"]
    assert records(results).keys() == all_of_them
    assert bench_here("store", "gc", *place)[1].startswith("freed: ")
    assert records(results).keys() == kept.keys()
    assert damaged(results) == []
    shutil.rmtree(results / "small")
    code, _, error = bench_here("store", "gc", *place)
    assert (code, "remove the folder" in error) == (2, True)


def test_a_crash_says_how_it_is_run_again(results: Path, tmp_path: Path) -> None:
    plugin, there = tmp_path / "mine.py", tmp_path / "there"
    plugin.write_text(f'''
from dataclasses import dataclass
from pathlib import Path
from benchmark.contract import Attack, Thief

@dataclass(frozen=True)
class Mine(Attack):
    """It works once there is a file."""

    name = "mine"
    family = "test"
    kind = "removal"

    def run(self, thief: Thief):
        Path({str(there)!r}).read_text()
        return thief.model
''')
    words = arguments(results, "--plugin", str(plugin), attacks="none,mine")
    done = bench(*words)
    assert done.returncode == 3
    assert "2 jobs crashed, and stay so until you run: bench run" in done.stderr
    there.write_text("")
    assert bench_here(*words)[0] == 3
    code, said, error = bench_here(*words, "--retry", "crashed")
    assert code == 0, said + error
    assert "crashed" not in error
