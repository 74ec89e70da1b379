"""What jobs of one process share: images read once, in copies that no job can spoil, and what a release is worth."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark.architectures.net import Net, build
from benchmark.data.splits import Data, Holdings, load, thief_data
from benchmark.data.tasks import DATA_ROOT, find_task
from benchmark.execution.job_bodies import compute
from benchmark.execution.job_context import Changed, JobContext, context_of
from benchmark.planning.job import Job
from benchmark.planning.plan import make_plan
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_attacks, select_schemes
from benchmark.protocol import steps
from benchmark.protocol.objects import Service
from benchmark.protocol.parties import stream
from benchmark.store import artefacts
from benchmark.store.records import RecordStore

TASK = find_task("digits")


@pytest.fixture
def jobs() -> list[Job]:
    registry = Registry.discover()
    rows = select_schemes("adi()", registry), select_attacks("none,sign-flip", registry)
    return list(make_plan(load_profile("quick").with_options(seeds=1), *rows, {}).jobs)


@pytest.fixture
def context(jobs: list[Job], tmp_path: Path) -> Callable[[], JobContext]:
    """One job after another in this process."""
    attacked = next(job for job in jobs if job.kind == "attacked")
    return lambda: JobContext(attacked, RecordStore(tmp_path / "store"), torch.device("cpu"))


THIEF = {"pool": "disjoint", "labelled": 30, "unlabelled": 170}


def unlabelled(images: Holdings) -> Data:
    return Data(images.unlabelled, images.labelled.y)


TAKEN: dict[str, Callable[[JobContext], Data]] = {
    "owner": JobContext.owner_data,
    "judge": JobContext.test,
    "thief": lambda context: context.thief_data(THIEF, 1)[0].labelled,
    "thief, without labels": lambda context: unlabelled(context.thief_data(THIEF, 1)[0]),
    "thief's held-out": lambda context: unlabelled(context.thief_data(THIEF, 1)[1]),
}


def right() -> dict[str, Data]:
    """What each party has, from the files."""
    splits = load(TASK)
    images, held_out = thief_data(splits.thief, 30, 170, stream(1, "thief-data", TASK.name))
    return {
        "owner": splits.owner, "judge": splits.test, "thief": images.labelled,
        "thief, without labels": unlabelled(images), "thief's held-out": unlabelled(held_out),
    }  # fmt: skip


@pytest.mark.parametrize("party", TAKEN)
def test_a_job_that_writes_into_its_images_changes_no_other_s(party: str, context: Callable[[], JobContext]) -> None:
    for _ in range(3):
        data, wanted = TAKEN[party](context()), right()[party]
        assert torch.equal(data.x, wanted.x)
        assert torch.equal(data.y, wanted.y)
        data.x.zero_()
        data.y.zero_()


def test_no_file_of_a_split_is_read_again(
    context: Callable[[], JobContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATA_ROOT, str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    wanted = {party: taken(context()) for party, taken in TAKEN.items()}
    load(TASK)
    shutil.rmtree(tmp_path / "prepared")
    for party, taken in TAKEN.items():
        assert torch.equal(taken(context()).x, wanted[party].x)
    monkeypatch.setattr("benchmark.execution.job_context.load_split", _gone)
    with pytest.raises(Changed, match="gone"):  # of another thief nothing is at hand
        context().thief_data({**THIEF, "labelled": 20}, 1)


def _gone(*_: Any) -> Data:
    from benchmark.errors import BenchError

    raise BenchError("gone")


def test_a_release_is_worth_to_its_thief_what_it_was_before(
    jobs: list[Job], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every attack on one release begins with the same net, so its use is measured once, and that of what he makes."""
    store, asked = RecordStore(tmp_path), []
    useful = steps.useful
    monkeypatch.setattr(steps, "useful", lambda *given: asked.append(given[0]) or useful(*given))  # type: ignore[func-returns-value]
    marked = next(job for job in jobs if job.kind == "marked")

    def thief_utility(answer: int, attack: str) -> Any:
        """Of an attack on a net that always gives the same answer."""
        net = Net.of(build(context_of(marked.payload["world"], torch.device("cpu")).spec()))
        service = Service(Net(net.spec, {**net.state, "head.bias": torch.eye(10)[answer] * 1e6}))
        digest = artefacts.write(store.artefact_path(marked.id, "service"), marked.id, service)
        job = next(
            one for one in jobs
            if one.kind == "attacked" and one.payload["target"] == marked.id
            and [stage["name"] for stage in one.payload["stages"]] == [attack]
        )  # fmt: skip
        job = replace(job, given={marked.id: {"service": digest}})
        return compute(JobContext(job, store, torch.device("cpu")), "make", {})["thief_utility"]

    torch.manual_seed(0)
    first = thief_utility(3, "none")
    torch.manual_seed(0)
    second = thief_utility(3, "sign-flip")
    assert len(asked) == 3
    assert first["before"] == first["after"] == second["before"]
    other = thief_utility(5, "none")  # made again, and another net
    assert len(asked) == 5
    right = {"correct": "1" * 40, "majority": "1" * 40}  # is what the release answers
    assert other["before"] == other["after"] == right
