"""The whole way, as a user goes it: run, run again, change alpha, add and change an attack, break an artefact."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from bench import ATTACKS, COMMAND, arguments, bench_here, bench_plugin, records, stamps, verdicts

PLUGIN = '''
from dataclasses import dataclass
import torch
from benchmark.contract import Attack, Thief, parameter

@dataclass(frozen=True)
class Noise(Attack):
    """Gaussian noise on every weight, as large as a share of its layer's own spread."""

    name = "weight-noise"
    family = "noise"
    kind = "removal"

    scale: float = parameter(0.1, "share of each tensor's standard deviation", low=0.0)

    def run(self, thief: Thief):
        with torch.no_grad():
            for weight in thief.model.parameters():
                if weight.dim() > 1:
                    noise = torch.randn(weight.shape, generator=thief.rng)
                    weight += self.scale * weight.std() * noise
        return thief.model
'''


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    """A copy of it, to change at will."""
    return shutil.copytree(finished, tmp_path / "results", copy_function=shutil.copy2)


def test_the_run_judges_every_cell(finished: Path) -> None:
    found = verdicts(finished)
    words = {attack: line["verdict"] for (_, attack, innocent), line in found.items() if not innocent}
    assert words["none"] == words["prune(amount=0.3)"] == words["quantize(bits=8,activations=false)"] == "survived"
    assert words["scratch(recipe=house)"] == "removed"
    assert words["fresh-key"] == "rejected"
    assert {line["verdict"] for (_, _, innocent), line in found.items() if innocent} == {"not-marked", "not-applicable"}
    page = (finished / "small" / "matrix-removal.md").read_text()
    assert "attacks/prune.md" in page
    assert "survived" in page
    assert "0.001" in page


def test_the_pages_agree_with_the_records(finished: Path) -> None:
    """Hits and accuracy of the CSV, counted again from records.jsonl without the leaderboard's code."""
    lines = (finished / "small" / "records.jsonl").read_text().splitlines()
    by_id = {record["id"]: record for record in map(json.loads, lines)}
    assert by_id.keys() == records(finished).keys()
    compared = 0
    for (_, _, innocent), line in verdicts(finished).items():
        if line["total"]:
            seen = by_id[line["job_judged"]]["result"]["observations"][0]
            hits = seen["channels"][seen["evidence"]]["hits"]
            assert (float(line["total"]), float(line["n"])) == (hits.count("1"), len(hits))
            suspect = by_id[line["job_suspect" if innocent else "job_attacked"]]["result"]["utility"]["correct"]
            assert float(line["accuracy"]) == pytest.approx(suspect.count("1") / len(suspect))
            compared += 1
    assert compared >= 12


def test_a_twin_is_trained_as_long_as_the_marked_net(finished: Path) -> None:
    found = records(finished)
    (twin,) = (one for one in found.values() if one["kind"] == "twin")
    made = found[twin["job"]["marked"]]
    epoch = 1_000 // 64 * 64
    assert made["result"]["from_host"] is False
    assert twin["result"]["cost"]["samples"] == round(made["result"]["cost"]["samples"] / epoch) * epoch
    (host,) = (one for one in found.values() if one["kind"] == "host")
    assert twin["result"]["cost"]["samples"] > host["result"]["cost"]["samples"] == 5 * epoch
    page = (finished / "small" / "schemes" / "adi.md").read_text()
    correct = twin["result"]["utility"]["correct"]
    assert f"| {100 * correct.count('1') / len(correct):.1f} % |" in page.split("## Fidelity")[1]


def test_a_second_run_trains_nothing_and_loads_nothing_slow(results: Path) -> None:
    before = stamps(results)
    words = [COMMAND[0], "-X", "importtime", *COMMAND[1:], *arguments(results)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert stamps(results) == before
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "benchmark.planning.plan" in imported
    assert imported.isdisjoint({"torch", "scipy.stats"})


def test_alpha_and_budget_change_verdicts_and_run_nothing(results: Path) -> None:
    before, words = stamps(results), verdicts(results)
    key = next(key for key in words if key[1] == "prune(amount=0.3)" and not key[2])
    least = float(words[key]["log10_p"])
    assert bench_here(*arguments(results, "--alpha", str(10 ** (least - 1))))[0] == 0
    assert verdicts(results)[key]["verdict"] == "embed-failed"
    where = ("--results", str(results), "--run", "small", "--alpha", "0.001")
    assert bench_here("report", *where)[0] == 0
    assert verdicts(results)[key]["verdict"] == "survived"
    assert bench_here("report", *where, "--budget", "0.001")[0] == 0
    scratch = next(line for k, line in verdicts(results).items() if k[1] == "scratch(recipe=house)" and not k[2])
    assert scratch["verdict"] != "removed"
    assert stamps(results) == before


def test_a_new_attack_in_one_file_runs_only_its_own_jobs(results: Path, tmp_path: Path) -> None:
    before, old = stamps(results), verdicts(results)

    def run(text: str) -> None:
        bench_plugin("weight_noise.py", text, tmp_path, results, f"{ATTACKS},weight-noise")

    run(PLUGIN)
    after, new = stamps(results), verdicts(results)
    assert {name: after[name] for name in before} == before
    added = [record for id, record in records(results).items() if f"{id}.json" not in before]
    # the marked and the innocent model attacked, and both judged
    assert sorted(record["kind"] for record in added) == ["attacked", "attacked", "judged", "judged"]
    assert {key[1] for key in new.keys() - old.keys()} == {"weight-noise"}
    assert all(new[key]["log10_p"] == old[key]["log10_p"] for key in old)

    run(PLUGIN + "# a remark\n")
    assert stamps(results) == after
    run(PLUGIN + "UNUSED = 1\n")  # code all the same: the jobs run again and find the same
    again = [record for id, record in records(results).items() if f"{id}.json" not in after]
    assert sorted(record["kind"] for record in again) == ["attacked", "attacked", "judged", "judged"]

    def seen(found: list[dict]) -> list[str]:
        return sorted(json.dumps(r["result"].get("observations") or r["result"]["utility"]) for r in found)

    assert seen(again) == seen(added)


def test_a_damaged_artefact_is_rebuilt(results: Path) -> None:
    before = records(results)
    marked = next(record for record in before.values() if record["kind"] == "marked")
    path = results / "store" / "artefacts" / marked["id"][:2] / f"{marked['id']}.service.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    code, said, error = bench_here(*arguments(results, attacks=f"{ATTACKS},prune(amount=0.9)"))
    assert code == 0, error
    assert "runs again" in said
    after = records(results)
    assert {id: after[id] for id in before} == before


def test_a_truncated_record_is_made_again(results: Path) -> None:
    before = records(results)
    victim = next(id for id, record in before.items() if record["kind"] == "judged")
    path = results / "store" / "records" / victim[:2] / f"{victim}.json"
    path.write_text(path.read_text()[:100])
    code, said, error = bench_here(*arguments(results))
    assert code == 0, error
    assert "set aside" in said
    assert records(results) == before


def test_reading_commands(results: Path) -> None:
    where = ("--results", str(results), "--run", "small")
    code, said, error = bench_here("show", "adi", "prune(amount=0.3)", *where)
    assert code == 0, error
    assert "survived" in said
    assert "p_null" in said
    code, _, error = bench_here("show", "adi", "prume(amount=0.3)", *where)
    assert (code, "did you mean prune(amount=0.3)" in error) == (2, True)
    code, said, _ = bench_here("status", *where)
    assert (code, "ok" in said) == (0, True)
    code, said, _ = bench_here("plan", *arguments(results)[1:])
    assert (code, "to do  0 jobs" in said) == (0, True)
    code, said, _ = bench_here("describe", "prune")
    assert (code, "amount" in said) == (0, True)


def test_fresh_runs_all_that_is_asked_for_anew_and_one_worker_and_two_observe_the_same(results: Path) -> None:
    before, old = stamps(results), records(results)
    rest = ATTACKS.replace("jpeg,", "")
    assert bench_here(*arguments(results, "--fresh", "--workers", "1", attacks=rest))[0] == 0
    after = stamps(results)
    assert records(results) == old
    kept = [old[name.removesuffix(".json")] for name in before if after[name] == before[name]]
    stages = [stage["name"] for one in kept if one["kind"] == "attacked" for stage in one["job"]["stages"]]
    assert set(stages) == {"jpeg"}
    assert {one["kind"] for one in kept} == {"attacked", "judged"}
