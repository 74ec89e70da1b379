"""What one job can do to the others, to the driver and to the disk: nothing that lasts."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toy_intruder

from benchmark.errors import BenchError
from benchmark.execution.executor import Finished, LocalExecutor
from benchmark.execution.processes import landlock
from benchmark.execution.processes.namespaces import SHARED_MEMORY, has_own_shared_memory
from benchmark.execution.processes.zygote import LONGEST_LOG
from benchmark.execution.walls import Side, close_keys, walls
from benchmark.planning.job import Job
from benchmark.vocabulary import JobStep

ENTRY = "toy_intruder:execute"
DRIVER = """
import sys, toy_intruder
from toy_work import job
from benchmark.execution.executor import LocalExecutor
executor = LocalExecutor(1, {"root": sys.argv[1], "device": "cpu"}, "toy_intruder:execute")
executor.submit(toy_intruder.foreign(job("stuck", "leave a process", role="thief", stay=600.0)), 1)
while True:
    executor.wait(1.0)
"""
OWN_SHARED_MEMORY = has_own_shared_memory()
confined = pytest.mark.skipif(not landlock.version(), reason="the kernel has no Landlock")


@pytest.fixture(autouse=True)
def _toy_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[LocalExecutor]:
    with LocalExecutor(1, {"root": str(tmp_path), "device": "cpu"}, ENTRY) as local:
        yield local


def run(executor: LocalExecutor, job: Job) -> Finished:
    executor.submit(job, 1)
    ended: list[Finished] = []
    while not ended:
        ended = executor.wait(1.0)
    return ended[0]


def test_foreign_code_has_a_process_of_its_own(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    own = [run(executor, toy_intruder.foreign(job(label, role="thief"))).result for label in "abc"]
    lasting = [run(executor, job(label, role="thief")).result for label in "def"]
    assert len({found["pid"] for found in own}) == 3
    assert len({found["pid"] for found in lasting} | {found["pid"] for found in own}) == 4
    assert len({found["answered by"] for found in own + lasting}) == 1  # by one court, in which nothing foreign ran
    assert own[0]["made"]["label"] == "a"


def test_the_time_limit_is_of_a_jobs_steps_together(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    found = run(executor, job("a", "take time", pause=0.6, timeout=5.0))
    assert found.status == "ok"
    assert found.run["seconds"] > 1.2
    found = run(executor, job("b", "take time", pause=0.6, timeout=1.0))
    assert (found.status, found.reason) == ("timeout", "It was stopped after its time limit of 1 s.")


@pytest.mark.parametrize("trusted", [True, False])
def test_a_job_that_forks_and_returns_twice_shifts_no_result(
    executor: LocalExecutor, job: Callable[..., Job], trusted: bool
) -> None:
    twice = job("twice", "fork and return twice", role="thief")
    results = [run(executor, twice if trusted else toy_intruder.foreign(twice))]
    results += [run(executor, job(label, role="thief")) for label in ("next", "after next")]
    assert [found.result["label"] for found in results] == ["twice", "next", "after next"]


def test_what_a_job_leaves_running_ends_with_it(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    import toy_work

    found = run(executor, toy_intruder.foreign(job("a", "leave a process", role="thief")))
    assert not toy_work.alive(found.result["left"])


def test_what_a_job_leaves_running_ends_with_a_killed_driver(tmp_path: Path, job: Callable[..., Job]) -> None:
    import toy_work

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(tmp_path)], env=environment)
    stuck = job("stuck", "leave a process", stay=600.0)
    left, end = tmp_path / "work" / stuck.id / "left.pid", time.monotonic() + 60
    try:
        while not left.exists() or not left.read_text():
            assert driver.poll() is None
            assert time.monotonic() < end
            time.sleep(0.02)
    finally:
        driver.kill()
        driver.wait()
    assert toy_work.gone({int(left.read_text())})


@pytest.mark.parametrize(
    "text",
    [
        "garbage", '{"ready": true}', "[]", "9" * 5000, "[" * 100_000, "null",
        '{"job": "x", "nonce": "y", "outcome": {"status": "ok", "result": {}, "run": {}}}',
    ],
)  # fmt: skip
def test_what_a_job_writes_into_pipes_costs_itself_alone(
    executor: LocalExecutor, job: Callable[..., Job], text: str
) -> None:
    bad = run(executor, toy_intruder.foreign(job("bad", "write everywhere", role="thief", text=text, stay=0.5)))
    assert bad.status == "killed"
    assert bad.reason == "The worker process sent something that is no outcome of this job."
    assert run(executor, job("good", role="thief")).status == "ok"


def test_a_flooded_pipe_ends_the_worker(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    assert run(executor, toy_intruder.foreign(job("bad", "flood", role="thief"))).status == "killed"


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
        seen = run(executor, thief if trusted else toy_intruder.foreign(thief)).result["read"]
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
        plain = run(executor, job("plain", "read", role="thief", paths=list(files.values()))).result
        seen = run(executor, job("thief", "read", role="thief", paths=list(files.values()), **granted)).result
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
        said = run(executor, toy_intruder.foreign(job, "scheme")).result[found]
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
            seen = run(executor, one).result["read"]
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
@pytest.mark.skipif(not OWN_SHARED_MEMORY, reason="the kernel gives this user no namespaces")
def test_nobody_finds_what_a_thief_leaves_in_shared_memory(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    segment = 0x5EED0000 + os.getpid() % 0x10000
    thieves = [job(label, "share", role="thief", segment=segment) for label in "ab"]
    found = [run(executor, toy_intruder.foreign(one)).result for one in thieves]
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
    executor: LocalExecutor, job: Callable[..., Job], tmp_path: Path
) -> None:
    paths = ["own", "../another", *(str(tmp_path / name / "x") for name in (".", "artefacts", "keys", "records"))]
    said = run(executor, toy_intruder.foreign(job("a", "write", role="thief", paths=paths))).result["wrote"]
    assert said == {path: "done" if path == "own" else "PermissionError" for path in paths}
    found = run(executor, toy_intruder.foreign(job("b", "temporary", role="thief")))
    assert not Path(found.result["temporary"]).parent.exists()  # it goes with the process


@confined
def test_compiled_code_is_written_by_the_side_that_runs_it_alone(
    executor: LocalExecutor, job: Callable[..., Job], tmp_path: Path
) -> None:
    paths = [str(tmp_path / "compiled" / side / "x") for side in ("thief", "insider", "keyholder")]
    for path in paths:
        Path(path).parent.mkdir(parents=True)
    thief = job("a", "write", role="thief", paths=paths)
    assert run(executor, thief).result["wrote"] == dict(zip(paths, ("done", *["PermissionError"] * 2), strict=True))
    found = run(executor, toy_intruder.foreign(thief)).result["wrote"]
    assert found == dict.fromkeys(paths, "PermissionError")
    seen = run(executor, toy_intruder.foreign(job("b", "read", role="thief", paths=paths[:1]))).result["read"]
    assert seen == {paths[0]: "PermissionError"}


@confined
@pytest.mark.skipif(landlock.version() < 6, reason="the kernel's Landlock doesn't hold signals back")
def test_a_thief_reaches_no_process_outside(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    said = run(executor, toy_intruder.foreign(job("a", "attack the driver", role="thief", driver=os.getpid()))).result
    assert {name: said[name] for name in ("signal", "memory", "driver's")} == dict.fromkeys(
        ("signal", "memory", "driver's"), "PermissionError"
    )


def test_a_signal_without_a_name_is_a_sentence(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    assert run(executor, job("a", "signal 40")).reason == "The worker process was killed by signal 40."


def test_printed_gigabytes_are_cut(executor: LocalExecutor, job: Callable[..., Job], tmp_path: Path) -> None:
    log, sizes = tmp_path / "logs" / "thief-0.log", [0]
    executor.submit(job("a", "print much", role="thief", megabytes=200, stay=1.0), 1)
    ended: list[Finished] = []
    while not ended:
        ended = executor.wait(0.2)
        sizes.append(log.stat().st_size if log.exists() else 0)
    assert sizes[-2] <= LONGEST_LOG  # before it ended
    text = log.read_bytes()
    assert len(text) <= LONGEST_LOG
    assert b"the first words" in text
    assert b"was cut" in text
    assert text.rstrip().endswith(b"the last words")


def test_what_a_job_changes_for_the_next_ones_is_a_crash(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    before = run(executor, job("before")).result["pid"]
    changed = run(executor, job("a", "change Python"))
    assert changed.status == "crashed"
    assert changed.reason == "it changed the recursion limit, os.environ['PATH'], math.sqrt for the jobs after it"
    assert run(executor, job("after")).result["pid"] != before


def test_what_foreign_code_changes_is_noted(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    changed = run(executor, toy_intruder.foreign(job("a", "change Python", role="thief")))
    assert (changed.status, changed.run["changed"][-1]) == ("ok", "math.sqrt")


def test_a_passing_fault_is_tried_again(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    found = run(executor, job("a", "open too many"))
    assert found.status == "killed"
    assert found.reason == "the machine could not do it just now (Too many open files): run the same command again"


def test_too_few_open_files_are_a_sentence(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    run(executor, job("a"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        with pytest.raises(BenchError, match=r"can't be started: Too many open files.*ulimit -n"):
            run(executor, job("b", role="thief"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert run(executor, job("c", role="thief")).status == "ok"


def test_a_fork_server_that_was_killed_is_started_again(executor: LocalExecutor, job: Callable[..., Job]) -> None:
    server = executor._zygote._process
    run(executor, job("a"))
    server = executor._zygote._process
    assert server is not None
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    assert run(executor, job("b", role="thief")).status == "ok"
