"""Jobs that use torch as plug-ins do: with workers of their own, past a memory limit, and leaving settings behind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.execution.executor import Finished, LocalExecutor
from benchmark.planning.job import Job, PluginSource
from benchmark.vocabulary import JobRole

ENTRY = "toy_torch:execute"


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalExecutor]:
    context = {"root": str(tmp_path_factory.mktemp("store")), "device": "cpu", "memory_mb": 400}
    with LocalExecutor(1, context, ENTRY) as local:
        yield local


def toy(do: str, role: JobRole = "thief", trusted: bool = True, **payload: object) -> Job:
    sources = {"stage0": PluginSource(__file__, "Toy", "", trusted)}
    id = hashlib.sha256(f"{do}{role}".encode()).hexdigest()
    kind = "judged" if role == "court" else "attacked"
    return Job(id, kind, role, do, {"do": do, **payload}, sources=sources, timeout=60.0)


def run(executor: LocalExecutor, job: Job) -> Finished:
    executor.submit(job, 1)
    ended: list[Finished] = []
    while not ended:
        ended = executor.wait(1.0)
    return ended[0]


@pytest.mark.parametrize("trusted", [True, False])
def test_a_plug_in_may_load_its_data_with_workers(executor: LocalExecutor, trusted: bool) -> None:
    found = run(executor, toy("load with two workers", trusted=trusted))
    assert found.reason is None
    assert found.result["sum"] == 4950.0


@pytest.mark.parametrize(
    ("do", "changed"),
    [
        ("no gradients", "torch.is_grad_enabled"),
        ("double numbers", "torch.get_default_dtype"),
        ("patched loss", "torch.nn.functional.cross_entropy"),
        ("patched method", "torch.nn.Linear.forward"),
        ("deaf numpy", "numpy.geterr"),
        ("a hook on every module", "global hooks of torch.nn.Module"),
    ],
)
def test_what_a_job_changes_is_named_and_lasts_for_no_other(executor: LocalExecutor, do: str, changed: str) -> None:
    lasting, foreign = run(executor, toy(do)), run(executor, toy(do, trusted=False))
    assert lasting.status == "crashed"
    assert lasting.reason is not None
    assert lasting.reason.startswith(f"it changed {changed}")
    assert (foreign.status, foreign.run["changed"][0]) == ("ok", changed)
    after = run(executor, toy("nothing"))
    assert (after.status, "changed" in after.run) == ("ok", False)


def test_memory_beyond_the_limit_is_out_of_memory(executor: LocalExecutor) -> None:
    assert run(executor, toy("take memory", megabytes=200)).result["bytes"] == 200 * 2**20
    found = run(executor, toy("take memory", megabytes=1000))
    assert found.status == "oom"
    assert found.reason is not None
    assert "can't allocate memory" in found.reason


def test_a_court_asks_a_suspect_with_foreign_code_in_its_own_process(executor: LocalExecutor, tmp_path: Path) -> None:
    from foreign_nets import artefact

    path, sha256, source = artefact(tmp_path, "seven")
    job = toy("judge", role="court", path=str(path), job="a", sha256=sha256)
    found = run(executor, replace(job, sources={"stage0": source}))
    assert found.reason is None
    assert found.result["labels"] == [7, 7, 7]
