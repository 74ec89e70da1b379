"""What a process may read and write: a thief, and a scheme of somebody else's, no more than their step needs."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import toy_intruder
from toy_bench import run_one

from benchmark.data.prepared import prepare_splits
from benchmark.data.tasks import DATA_ROOT, find_task
from benchmark.execution.executor import LocalExecutor
from benchmark.execution.processes import landlock
from benchmark.execution.processes.namespaces import SHARED_MEMORY, can_separate
from benchmark.execution.walls import Side, close_keys, task_files, walls
from benchmark.planning.job import Job
from benchmark.vocabulary import JobStep

ENTRY = "toy_intruder:execute"
SEPARABLE = can_separate()
confined = pytest.mark.skipif(not landlock.version(), reason="the kernel has no Landlock")


@confined
@pytest.mark.parametrize("trusted", [True, False])
def test_a_thief_reads_no_record_no_key_and_nobody_elses_images(
    tmp_path: Path, job: Callable[..., Job], trusted: bool
) -> None:
    files = {name: tmp_path / "data" / f"{name}.npy" for name in ("owner", "thief", "test", "source")}
    store = tmp_path / "results" / "store"
    secret = [store / "records" / "ab" / "r.json", store / "keys" / "ab" / "k", store / "logs" / "l"]
    run_folder = tmp_path / "results" / "small"
    secret += [run_folder / "run.json", run_folder / "records.jsonl"]
    target = job("target")
    model = store / "artefacts" / target.id[:2] / f"{target.id}.service.safetensors"
    others = [store / "work" / "other" / "key", store / "artefacts" / "ab" / "host"]
    free, link = [model, Path(toy_intruder.__file__)], tmp_path / "link"
    for path in (*files.values(), *secret, *others, model):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    link.symlink_to(secret[1])
    paths = [str(path) for path in (*files.values(), *secret, *others, *free, link)]
    thief = job("thief", "read", (target,), role="thief", paths=paths, world={"task": "toy"})
    context = {
        "root": str(store),
        "device": "cpu",
        "data": {"toy": {name: [str(path)] for name, path in files.items()}},
    }
    with LocalExecutor(1, context, ENTRY) as executor:
        seen = run_one(executor, thief if trusted else toy_intruder.foreign(thief)).result["read"]
    allowed = {path for path, said in seen.items() if said == "done"}
    # a lasting process serves many jobs, whose targets lie anywhere and whose schemes may draw on raw files
    own = {files["thief"], *free} | ({files["source"], *others} if trusted else set())
    assert allowed == set(map(str, own))
    assert {seen[path] for path in set(seen) - allowed} == {"PermissionError"}


@confined
def test_a_thief_with_the_owners_images_reads_no_others(tmp_path: Path, job: Callable[..., Job]) -> None:
    files = {name: str(tmp_path / f"{name}.npy") for name in ("owner", "thief", "test")}
    for path in files.values():
        Path(path).write_text("x")
    context = {
        "root": str(tmp_path / "store"),
        "device": "cpu",
        "data": {"toy": {name: [path] for name, path in files.items()}},
    }
    granted = {"world": {"task": "toy"}, "thief": {"pool": "owner"}}
    with LocalExecutor(1, context, ENTRY) as executor:
        plain = run_one(executor, job("plain", "read", role="thief", paths=list(files.values()))).result
        seen = run_one(executor, job("thief", "read", role="thief", paths=list(files.values()), **granted)).result
    assert plain["pid"] != seen["pid"]
    assert [name for name, path in files.items() if seen["read"][path] == "done"] == ["owner"]


@confined
def test_a_scheme_of_others_reads_what_its_step_needs_and_writes_no_record(
    tmp_path: Path, job: Callable[..., Job]
) -> None:
    store, parent = tmp_path / "results" / "store", job("parent")
    splits = {name: tmp_path / "data" / name for name in ("owner", "thief", "test", "source")}
    mine, other = parent.id, "f" * 64
    kept = {
        f"{whose} {what}": store / folder / one[:2] / f"{one}{ending}"
        for whose, one in (("parent's", mine), ("other's", other))
        for what, folder, ending in (
            ("record", "records", ".json"),
            ("model", "artefacts", ".service.safetensors"),
            ("key", "keys", ".key.safetensors"),
            ("answers", "keys", ".answers.safetensors"),
        )
    }
    files = {**splits, **kept, "secret": store / "keys" / "secret"}
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    names = {str(path): name for name, path in files.items()}
    context = {
        "root": str(store),
        "device": "cpu",
        "data": {"toy": {name: [str(path)] for name, path in splits.items()}},
    }

    def allowed(job: Job, found: str) -> set[str]:
        said = run_one(executor, toy_intruder.foreign(job, "scheme")).result[found]
        return {names[path] for path, answer in said.items() if answer == "done"}

    plain = {"paths": list(names), "world": {"task": "toy"}}
    with LocalExecutor(1, context, ENTRY) as executor:
        owner = allowed(job("owner", "read", (parent,), secret="s", **plain), "read")
        court = allowed(job("court", "read", (parent,), role="court", secret="s", **plain), "read")
        written = [
            allowed(job(f"{role} writes", "write", (parent,), role=role, **plain), "wrote")
            for role in ("owner", "court")
        ]
    assert owner == {"owner", "parent's model", "secret"}
    assert court == {"owner", "thief", "test", "secret", *(name for name in kept if name.startswith("parent's"))}
    assert written == [set(), set()]


@confined
def test_a_court_with_a_scheme_of_others_writes_where_its_model_belongs_alone(job: Callable[..., Job]) -> None:
    root, marked = Path("/store"), job("marked")
    around = walls("keyholder", root, {}, marked, "answer")
    assert around is not None
    assert set(around.writable) == {f"/store/{one}" for one in (
        f"work/{marked.id}", f"artefacts/{marked.id[:2]}", f"keys/{marked.id[:2]}")}  # fmt: skip


@confined
def test_images_of_tasks_outside_the_plan_and_a_secret_elsewhere_are_hidden(
    tmp_path: Path, job: Callable[..., Job]
) -> None:
    prepared, secret = tmp_path / "prepared", tmp_path / "secret.txt"
    own, sibling, raw = prepared / "toy" / "thief.npy", prepared / "sibling" / "test.npy", tmp_path / "raw"
    for path in (own, sibling, raw, secret):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    context = {
        "root": str(tmp_path / "store"),
        "device": "cpu",
        "data": {"toy": {"thief": [str(own)], "prepared": [str(prepared)]}},
        "hidden": [str(secret)],
    }
    paths = [str(path) for path in (own, sibling, raw, secret)]
    with LocalExecutor(1, context, ENTRY) as executor:
        thief = job("thief", "read", role="thief", paths=paths, world={"task": "toy"})
        for one in (thief, toy_intruder.foreign(thief)):
            seen = run_one(executor, one).result["read"]
            assert [path for path in paths if seen[path] == "done"] == [str(own), str(raw)]


def test_keys_that_a_plug_in_opened_to_others_are_closed_again(tmp_path: Path) -> None:
    key, outside = tmp_path / "keys" / "ab" / "k", tmp_path / "outside"
    key.parent.mkdir(parents=True)
    for path in (key, outside):
        path.write_text("x")
        path.chmod(0o644)
    (key.parent / "link").symlink_to(outside)
    for path in (key, key.parent, key.parent.parent):
        path.chmod(0o777)
    close_keys(tmp_path)
    assert [path.stat().st_mode & 0o777 for path in (key, key.parent, key.parent.parent)] == [0o600, 0o700, 0o700]
    assert outside.stat().st_mode & 0o777 == 0o644


@confined
@pytest.mark.skipif(not SEPARABLE, reason="the kernel gives this user no namespaces")
def test_nobody_finds_what_a_thief_leaves_in_shared_memory(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    segment = 0x5EED0000 + os.getpid() % 0x10000
    thieves = [job(label, "share", role="thief", segment=segment) for label in "ab"]
    found = [run_one(intruder, toy_intruder.foreign(one)).result for one in thieves]
    assert [(one["before"], one["segment is new"]) for one in found] == [([], True)] * 2
    assert not Path("/dev/shm/left").exists()


@pytest.mark.parametrize(
    ("side", "step", "pool"),
    [
        ("suspect", "answer", "disjoint"),
        ("insider", "make", "disjoint"),
        ("thief", "make", "owner"),
        ("keyholder", "answer", "disjoint"),
        ("keyholder", "judge", "disjoint"),
    ],
)
def test_memory_that_is_shared_with_others_is_for_who_knows_nothing_more_than_a_thief(
    job: Callable[..., Job], side: Side, step: JobStep, pool: str
) -> None:
    around = walls(side, Path("/store"), {}, job("a", thief={"pool": pool}), step)
    assert around is not None
    assert SHARED_MEMORY not in around.writable


@confined
def test_a_thief_writes_to_the_folder_of_his_job_and_a_temporary_one(
    intruder: LocalExecutor, job: Callable[..., Job], tmp_path: Path
) -> None:
    paths = ["own", "../another", *(str(tmp_path / name / "x") for name in (".", "artefacts", "keys", "records"))]
    said = run_one(intruder, toy_intruder.foreign(job("a", "write", role="thief", paths=paths))).result["wrote"]
    assert said == {path: "done" if path == "own" else "PermissionError" for path in paths}
    found = run_one(intruder, toy_intruder.foreign(job("b", "temporary", role="thief")))
    assert not Path(found.result["temporary"]).parent.exists()  # it goes with the process


@confined
def test_nobody_reads_the_temporary_files_of_another_process(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        (path := Path(folder, "key")).write_text("x")
        seen = run_one(intruder, toy_intruder.foreign(job("a", "read", role="thief", paths=[str(path)]))).result
    assert seen["read"] == {str(path): "PermissionError"}


@confined
@pytest.mark.skipif(not SEPARABLE, reason="the kernel gives this user no namespaces")
def test_a_thief_changes_the_times_of_no_file_but_his_own(
    intruder: LocalExecutor, job: Callable[..., Job], tmp_path: Path
) -> None:
    (path := tmp_path / "file").write_text("x")
    said = run_one(intruder, toy_intruder.foreign(job("a", "note", role="thief", paths=[str(path), "/dev/shm"]))).result
    assert said["noted"] == {str(path): "PermissionError", "/dev/shm": "done"}


@confined
def test_compiled_code_is_written_by_the_side_that_runs_it_alone(
    intruder: LocalExecutor, job: Callable[..., Job], tmp_path: Path
) -> None:
    paths = [str(tmp_path / "compiled" / side / "x") for side in ("thief", "insider", "keyholder")]
    for path in paths:
        Path(path).parent.mkdir(parents=True)
    thief = job("a", "write", role="thief", paths=paths)
    wrote = run_one(intruder, thief).result["wrote"]
    assert wrote == dict(zip(paths, ("done", *["PermissionError"] * 2), strict=True))
    found = run_one(intruder, toy_intruder.foreign(thief)).result["wrote"]
    assert found == dict.fromkeys(paths, "PermissionError")
    seen = run_one(intruder, toy_intruder.foreign(job("b", "read", role="thief", paths=paths[:1]))).result["read"]
    assert seen == {paths[0]: "PermissionError"}


@confined
@pytest.mark.skipif(landlock.version() < 6, reason="the kernel's Landlock doesn't hold signals back")
def test_a_thief_reaches_no_process_outside(intruder: LocalExecutor, job: Callable[..., Job]) -> None:
    said = run_one(
        intruder, toy_intruder.foreign(job("a", "attack the driver", role="thief", driver=os.getpid()))
    ).result
    assert {name: said[name] for name in ("signal", "memory", "driver's")} == dict.fromkeys(
        ("signal", "memory", "driver's"), "PermissionError"
    )


def test_the_archives_beside_what_was_read_are_closed_too(
    fashion_mnist: Path, tmp_path: Path, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The judge's images were closed, and lay packed beside it; so where a second task is made of the same files."""
    monkeypatch.setenv(DATA_ROOT, str(shutil.copytree(fashion_mnist, tmp_path / "data")))
    raw = tmp_path / "data" / "FashionMNIST" / "raw"
    for archive in list(raw.iterdir()):
        (raw / archive.stem).write_bytes(gzip.decompress(archive.read_bytes()))
    for name in ("fashion-mnist-small", "fmnist5-small"):
        prepare_splits(find_task(name))
    thief = job("a", role="thief", world={"task": "fashion-mnist-small"})
    around = walls("thief", tmp_path / "store", task_files(["fashion-mnist-small", "fmnist5-small"]), thief)
    assert around is not None
    assert set(map(str, raw.iterdir())) <= {*around.denied} - {*around.readable}
