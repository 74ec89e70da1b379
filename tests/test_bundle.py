"""Bundles: replayed on another clone they say equal; with one byte changed they are named as tampered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bench import COMMAND, bench, bench_here

from benchmark.errors import BenchError

ROOT = Path(__file__).parent.parent
ROOMS = ("benchmark", "schemes", "attacks", "leaderboard")


def make(results: Path, out: Path, *cell: str) -> Path:
    code, _, error = bench_here("bundle", *cell, "--out", str(out), "--results", str(results), "--run", "small")
    assert code == 0, error
    return out


@pytest.fixture(scope="module")
def bundled(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(finished, tmp_path_factory.mktemp("bundled") / "cell", "adi", "prune(amount=0.3)")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Another copy of the code, elsewhere."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / "clone" / room, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "clone"


def replay(folder: Path, clone: Path) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [*COMMAND, "replay", str(folder), "--device", "cpu", "--json"],
        cwd=clone, env={**os.environ, "PYTHONPATH": str(clone)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_another_clone_reports_equal(bundled: Path, clone: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(bundled, tmp_path / "elsewhere" / "b")
    code, seen = replay(moved, clone)
    assert (code, seen["outcome"], seen["notes"]) == (0, "equal", [])
    assert seen["derived"] == seen["recorded"]
    assert seen["recorded"]["word"] == "survived"
    assert {check["what"] for check in seen["checks"]} >= {
        "answers of the suspect", "channel triggers of the suspect", "channel triggers of the delivered model",
        "admission of the key of the suspect",
    }  # fmt: skip


def test_other_code_is_named_and_its_effect_is_seen(bundled: Path, clone: Path) -> None:
    scheme = clone / "schemes" / "adi.py"
    text = scheme.read_text()
    scheme.write_text(text + "# a remark\n")
    code, seen = replay(bundled, clone)
    assert (code, seen["outcome"]) == (0, "equal")
    assert any("the installed scheme adi differs" in note for note in seen["notes"])
    assert text.count("answers == key.labels") == 1
    scheme.write_text(text.replace("answers == key.labels", "answers != key.labels"))
    code, seen = replay(bundled, clone)
    assert (code, seen["outcome"]) == (4, "different")
    assert seen["derived"]["word"] == "embed-failed"


def test_the_code_in_a_bundle_is_text_and_is_never_run(bundled: Path, clone: Path, tmp_path: Path) -> None:
    code = sorted(path.name for path in (bundled / "code").iterdir())
    assert code == ["attack-prune.py.txt", "scheme-adi.py.txt"]
    assert (bundled / "code" / "scheme-adi.py.txt").read_bytes() == (ROOT / "schemes" / "adi.py").read_bytes()
    (clone / "schemes" / "adi.py").unlink()
    done = subprocess.run([*COMMAND, "replay", str(bundled)], cwd=clone, env={**os.environ, "PYTHONPATH": str(clone)},
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 2
    assert "a bundle's own code is never run" in done.stderr


def test_no_path_of_this_machine_is_in_a_bundle(bundled: Path, finished: Path) -> None:
    for path in bundled.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for folder in (str(ROOT), str(finished), str(Path.home()), "/tmp"):
                assert folder.encode() not in data, path.name


def test_every_changed_byte_is_named(bundled: Path, tmp_path: Path) -> None:
    from benchmark.replay import check_files

    names = [path.relative_to(bundled) for path in sorted(bundled.rglob("*")) if path.is_file()]
    assert len(names) == 10
    copy = shutil.copytree(bundled, tmp_path / "copy")
    assert check_files(copy) == json.loads((bundled / "MANIFEST.json").read_text())["sha256"]
    for name in names:
        whole = (bundled / name).read_bytes()
        spots = {0, len(whole) // 2, len(whole) - 1}
        spots |= set(range(0, len(whole), 7)) if name.name == "MANIFEST.json" else set()
        for spot in spots:
            data = bytearray(whole)
            data[spot] ^= 1
            (copy / name).write_bytes(data)
            with pytest.raises(BenchError, match="tampered with"):
                check_files(copy)
            if name.name != "MANIFEST.json":
                with pytest.raises(BenchError, match=name.name):
                    check_files(copy)
        (copy / name).write_bytes(whole)
    assert check_files(copy)


def test_missing_and_extra_files_are_named(bundled: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundled, tmp_path / "copy")
    (copy / "code" / "more.py").write_text("")
    done = bench("replay", str(copy))
    assert done.returncode == 2
    assert "Error: code/more.py was tampered with" in done.stderr
    (copy / "code" / "more.py").unlink()
    (copy / "records.jsonl").unlink()
    code, _, error = bench_here("replay", str(copy))
    assert (code, "records.jsonl was tampered with: it is missing" in error) == (2, True)
    assert bench_here("replay", str(tmp_path))[0] == 2


def resealed(copy: Path) -> Path:
    """The folder with a manifest that fits whatever was done to it."""
    from benchmark.bundle import seal, write_json

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

    from benchmark.bundle import command
    from benchmark.records import RecordStore
    from benchmark.registry import Registry
    from benchmark.statement import commands
    from leaderboard.board import judge
    from leaderboard.run import read_run
    from leaderboard.verdicts import NO_BETTER_THAN_SCRATCH

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


def test_the_streams_draw_the_key_anew(bundled: Path) -> None:
    """What bundle.json says of the owner's stream gives the bundled key, bit for bit."""
    import torch

    from benchmark import artefacts
    from benchmark.tasks import find_task
    from schemes.adi import Adi, AdiKey

    described = json.loads((bundled / "bundle.json").read_text())
    (path,) = (bundled / "artefacts").glob("*.key.safetensors")
    job = path.name.split(".")[0]
    digest = json.loads((bundled / "MANIFEST.json").read_text())["files"][f"artefacts/{path.name}"]
    key = artefacts.read_key(path, job, digest, AdiKey)

    class Party:
        task = find_task("digits")

    rng = torch.Generator().manual_seed(described["streams"]["0 owner-key adi digits"])
    drawn = Adi(n=40, k=16, epochs=8).keygen(Party(), rng)  # type: ignore[arg-type]
    assert isinstance(key, AdiKey)
    assert drawn.secret == key.secret
    assert torch.equal(drawn.images, key.images)


@pytest.mark.parametrize("cell", [("adi", "fresh-key"), ("unmarked adi", "none"), ("adi", "scratch")])
def test_claims_innocents_and_controls_replay(finished: Path, tmp_path: Path, cell: tuple[str, str]) -> None:
    code, output, error = bench_here("replay", str(make(finished, tmp_path / "b", *cell)), "--device", "cpu")
    assert code == 0, error
    assert output.splitlines()[-1].split() == ["result", "equal"]


def test_a_bundle_is_a_published_run_of_one_cell(bundled: Path, finished: Path) -> None:
    from leaderboard.board import judge
    from leaderboard.run import read_run

    (cell,) = judge(read_run(bundled)).cells
    assert cell.verdict.word == "survived"
    code, output, _ = bench_here("compare", str(bundled), str(finished / "small"))
    assert code == 0
    assert "1 cells in both: 1 from the same records" in output


def test_what_cannot_be_bundled_is_one_sentence(finished: Path, bundled: Path, tmp_path: Path) -> None:
    where = ("--results", str(finished), "--run", "small")
    code, _, error = bench_here("bundle", "adi", "prune(amount=0.3)", "--out", str(bundled), *where)
    assert (code, "exists already" in error) == (2, True)
    new = ("--out", str(tmp_path / "b"), *where)
    code, _, error = bench_here("bundle", "unmarked adi", "fresh-key", *new)
    assert (code, "there is no verdict to replay" in error) == (2, True)
    code, _, error = bench_here("bundle", "adi", "prune(amount=0.3)", "--seed", "3", *new)
    assert (code, "no seed 3" in error) == (2, True)
    assert not (tmp_path / "b").exists()


def test_a_damaged_artefact_is_not_bundled(finished: Path, tmp_path: Path) -> None:
    results = shutil.copytree(finished, tmp_path / "results")
    for path in (results / "store" / "artefacts").glob("*/*.key.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    where = ("--results", str(results), "--run", "small")
    code, _, error = bench_here("bundle", "adi", "none", "--out", str(tmp_path / "b"), *where)
    assert (code, "is damaged" in error) == (2, True)


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
    from benchmark.replay import compared

    assert compared("x", old, new).outcome == outcome
