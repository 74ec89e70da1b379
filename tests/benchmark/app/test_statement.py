"""What a sealed bundle states is held against its records: whatever they do not give is different."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from bench import bench_here


def resealed(copy: Path) -> Path:
    """The folder with a manifest that fits whatever was done to it."""
    from benchmark.app.bundle import seal, write_json

    (copy / "MANIFEST.json").unlink()
    files = {path.relative_to(copy).as_posix(): path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    (copy / "MANIFEST.json").write_bytes(write_json(seal(files)))
    return copy


def set_in(path: Path, where: str, value: Any) -> None:
    """Set one field of a JSON file, `where` as `verdict.log10_p.after`."""
    described = json.loads(path.read_text())
    inner = described
    *way, last = [int(name) if name.isdigit() else name for name in where.split(".")]
    for name in way:
        inner = inner[name]
    inner[last] = value
    path.write_text(json.dumps(described))


def test_a_lie_in_a_sealed_bundle_comes_out_as_different(bundled: Path, tmp_path: Path) -> None:
    """Whoever seals the folder anew can make the hashes fit, not the models."""
    copy = shutil.copytree(bundled, tmp_path / "copy")
    described = json.loads((copy / "run.json").read_text())
    judged = described["cells"][0]["jobs"]["judged"]
    lines = [json.loads(line) for line in (copy / "records.jsonl").read_text().splitlines()]
    for line in lines:
        if line["id"] == judged:
            channel = line["result"]["observations"][0]["channels"]["triggers"]
            assert channel["hits"].count("1") > 30
            channel["hits"] = "0" * len(channel["hits"])
    (copy / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, output, error = bench_here("replay", str(resealed(copy)), "--device", "cpu")
    assert code == 4, error
    assert "channel triggers of the suspect: different" in output
    assert "its own records give removed" in output
    assert output.splitlines()[-1].split() == ["result", "different"]


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("verdict.log10_p.after", -300, "after -300"),
        ("verdict.log10_p.before", None, "before none"),
        ("verdict.reason", "proven in court", "proven in court"),
        ("verdict.flags", ["claim-refused"], "claim-refused"),
        ("cell.scheme", "rose", "rose"),
        ("cell.attack", "finetune", "finetune"),
        ("cell.replicate", 4, "cell as stated"),
        ("cell.innocent", True, "cell as stated"),
        ("alpha", 0.9, "--alpha 0.9"),
        ("budget_points", 50.0, "--budget 50"),
        ("command", "rm -rf ~", "rm -rf ~"),
        ("engine", "00" * 32, "engine as stated"),
        ("streams", {}, "streams as stated"),
        ("environment.versions", {"torch": "9"}, "environment as stated"),
        ("profile.nulls", 1000, "profile as stated"),
        ("data.0.test", 9, "data as stated"),
        ("sources.0.code", "00" * 32, "sources as stated"),
        ("more", "than there is", "more as stated"),
    ],
)
def test_whatever_the_records_do_not_give_is_different(
    bundled: Path, tmp_path: Path, where: str, value: Any, said: str
) -> None:
    copy = shutil.copytree(bundled, tmp_path / "copy")
    set_in(copy / "bundle.json", where, value)
    code, output, error = bench_here("replay", str(resealed(copy)), "--device", "cpu")
    assert code == 4, error
    assert said in output
    assert output.splitlines()[-1].split() == ["result", "different"]


@pytest.mark.parametrize(("old", "new"), [("adi(", "rose("), ("prune(amount=0.3)", "prune(amount=0.9)"),
                                          ("prune(amount=0.3)", "prune"), ("n=40", "n=400")])  # fmt: skip
def test_a_false_name_throughout_is_different(bundled: Path, tmp_path: Path, old: str, new: str) -> None:
    copy = shutil.copytree(bundled, tmp_path / "copy")
    for name in ("bundle.json", "run.json"):
        assert old in (copy / name).read_text()
        (copy / name).write_text((copy / name).read_text().replace(old, new))
    code, output, error = bench_here("replay", str(resealed(copy)), "--device", "cpu")
    assert (code, "run.json calls it" in output) == (4, True), error + output


def test_a_command_in_both_files_and_other_code_are_different(bundled: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundled, tmp_path / "copy")
    for name in ("bundle.json", "run.json"):
        set_in(copy / name, "command", "rm -rf ~")
    code, output, _ = bench_here("replay", str(resealed(copy)), "--device", "cpu")
    assert (code, "command as stated: different" in output) == (4, True)
    copy = shutil.copytree(bundled, tmp_path / "other")
    (copy / "code" / "scheme-adi.py.txt").write_text("print('harmless')\n")
    code, output, _ = bench_here("replay", str(resealed(copy)), "--device", "cpu")
    assert (code, "is not the code that ran" in output) == (4, True)


def test_the_command_of_a_flagged_cell_names_its_scratch_control(finished: Path, bundled: Path) -> None:
    """In the run the control has a cell of its own; in a bundle only its job is left."""
    from dataclasses import replace

    from benchmark.app.bundle import command
    from benchmark.app.statement import commands
    from benchmark.plugins.registry import Registry
    from benchmark.store.records import RecordStore
    from leaderboard.judge.board import judge
    from leaderboard.judge.run import read_run
    from leaderboard.judge.verdicts import NO_BETTER_THAN_SCRATCH

    whole = judge(read_run(finished / "small", RecordStore(finished / "store")))
    alone = judge(read_run(bundled))
    (cell,) = alone.cells
    verdict = replace(cell.verdict, word="removed", flags=(NO_BETTER_THAN_SCRATCH,))
    flagged, registry = replace(cell, verdict=verdict), Registry.discover(())
    assert "'prune(amount=0.3),scratch'" in command(whole, flagged)
    assert command(whole, flagged) in commands(command(alone, flagged), alone.run, flagged, registry)
    assert commands(command(alone, cell), alone.run, cell, registry) == [command(whole, cell)]


def test_a_p_value_rounded_another_way_is_no_lie(bundled: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundled, tmp_path / "copy")
    stated = json.loads((copy / "bundle.json").read_text())["verdict"]["log10_p"]["after"]
    set_in(copy / "bundle.json", "verdict.log10_p.after", stated + 1e-9)
    code, output, error = bench_here("replay", str(resealed(copy)), "--device", "cpu")
    assert (code, output.splitlines()[-1].split()) == (0, ["result", "equal"]), error


def test_sealed_and_malformed_is_one_sentence(bundled: Path, tmp_path: Path) -> None:
    described = json.loads((bundled / "bundle.json").read_text())
    damage: list[tuple[str, Any]] = [("records.jsonl", ""), ("bundle.json", "[]"), ("bundle.json", "no JSON")]
    damage += [("bundle.json", json.dumps({k: v for k, v in described.items() if k != name})) for name in described]
    damage += [("bundle.json", json.dumps({**described, name: None})) for name in described if name != "budget_points"]
    outside = [{**source, "file": "../../bundle.json"} for source in described["sources"]]
    damage += [("bundle.json", json.dumps({**described, "sources": outside}))]
    run = json.loads((bundled / "run.json").read_text())
    damage += [("run.json", json.dumps({**run, name: []})) for name in ("cells", "schemes", "profile", "data")]
    lines = [json.loads(line) for line in (bundled / "records.jsonl").read_text().splitlines()]
    for role in ("judged", "attacked", "fresh", "nulls", "marked"):
        id = run["cells"][0]["jobs"][role]
        bare = [{**line, "result": {}} if line["id"] == id else line for line in lines]
        damage.append(("records.jsonl", "".join(json.dumps(line) + "\n" for line in bare)))
        damage.append(("records.jsonl", "".join(json.dumps(line) + "\n" for line in lines if line["id"] != id)))
    for number, (name, text) in enumerate(damage):
        copy = shutil.copytree(bundled, tmp_path / str(number))
        (copy / name).write_text(text)
        code, _, error = bench_here("replay", str(resealed(copy)), "--device", "cpu")
        assert (code, bool(error), "\n" in error) == (2, True, False), (name, text[:200], error)


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ({"hits": "1" * 100}, {"hits": "1" * 100}, "equal"),
        ({"hits": "1" * 100}, {"hits": "1" * 99 + "0"}, "within tolerance"),
        ({"hits": "1" * 100}, {"hits": "1" * 98 + "00"}, "different"),
        ({"hits": "1" * 40}, {"hits": "1" * 39 + "0"}, "within tolerance"),
        ({"hits": "1" * 40}, {"hits": "1" * 41}, "different"),
        ({"values": [1.0, 2.0]}, {"values": [1.0, 2.019]}, "within tolerance"),
        ({"values": [1.0, 2.0]}, {"values": [1.0, 2.03]}, "different"),
        ({"values": [1.0]}, {"hits": "1"}, "different"),
        ({"hits": "1", "law": {"p": 0.1}}, {"hits": "1", "law": {"p": 0.5}}, "different"),
    ],
)
def test_tolerance(old: dict[str, Any], new: dict[str, Any], outcome: str) -> None:
    from benchmark.app.replay import compared

    assert compared("x", old, new).outcome == outcome
