"""Bundles: replayed on another clone they say equal; with one byte changed they are named as tampered."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from bench import COMMAND, SECRET, bench_here, bundle

from benchmark.errors import BenchError

ROOT = Path(__file__).parents[3]
ROOMS = ("benchmark", "schemes", "attacks", "leaderboard")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Another copy of the code, elsewhere, compiled as it is here."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / "clone" / room, ignore=shutil.ignore_patterns("published"))
    shutil.copy(ROOT / "watermark_bench.py", tmp_path / "clone")
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
    with (clone / "schemes" / "adi.py").open("a") as scheme:
        scheme.write("# a remark\n")
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
    scheme.write_text(text + "UNUSED = 1\n")
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
    from benchmark.app.bundle_form import check_files

    names = [path.relative_to(bundled) for path in sorted(bundled.rglob("*")) if path.is_file()]
    assert len(names) == 10
    copy = shutil.copytree(bundled, tmp_path / "copy")
    assert check_files(copy).sha256 == json.loads((bundled / "MANIFEST.json").read_text())["sha256"]
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
    code, _, error = bench_here("replay", str(copy))
    assert (code, error.startswith("code/more.py was tampered with")) == (2, True)
    (copy / "code" / "more.py").unlink()
    (copy / "records.jsonl").unlink()
    code, _, error = bench_here("replay", str(copy))
    assert (code, "records.jsonl was tampered with: it is missing" in error) == (2, True)
    assert bench_here("replay", str(tmp_path))[0] == 2


def test_the_owners_stream_draws_the_key_anew(bundled: Path) -> None:
    """The seed and the names in the records are all that the bundled key follows from, bit for bit."""
    from benchmark.crypto.secret_streams import SecretStreams
    from benchmark.data.tasks import find_task
    from benchmark.store import artefacts
    from benchmark.store.secret import read_secret
    from schemes.adi import Adi, AdiKey

    (path,) = (bundled / "artefacts").glob("*.key.safetensors")
    job = path.name.split(".")[0]
    digest = json.loads((bundled / "MANIFEST.json").read_text())["files"][f"artefacts/{path.name}"]
    key = artefacts.read_key(path, job, digest, AdiKey)

    class Party:
        task = find_task("digits")

    rng = SecretStreams(read_secret(SECRET)).stream(0, "owner-key", "adi", "digits")
    drawn = Adi(n=40, k=16, epochs=8).keygen(Party(), rng)  # type: ignore[arg-type]
    assert isinstance(key, AdiKey)
    assert drawn.secret == key.secret
    assert bool((drawn.images == key.images).all())


@pytest.mark.parametrize("cell", [("adi", "fresh-key"), ("unmarked adi", "none"), ("adi", "scratch(recipe=house)")])
def test_claims_innocents_and_controls_replay(finished: Path, tmp_path: Path, cell: tuple[str, str]) -> None:
    code, output, error = bench_here("replay", str(bundle(finished, tmp_path / "b", *cell)), "--device", "cpu")
    assert code == 0, error
    assert output.splitlines()[-1].split() == ["result", "equal"]


def test_a_bundle_is_a_published_run_of_one_cell(bundled: Path, finished: Path) -> None:
    from leaderboard.judge.board import judge
    from leaderboard.judge.run import read_run

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
    for path in (results / "store").glob("*/*/*.key.safetensors"):
        path.write_bytes(path.read_bytes()[:-1])
    where = ("--results", str(results), "--run", "small")
    code, _, error = bench_here("bundle", "adi", "none", "--out", str(tmp_path / "b"), *where)
    assert (code, "is damaged" in error, "--retry damaged` makes it again" in error) == (2, True, True)
