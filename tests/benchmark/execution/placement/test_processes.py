"""Real worker processes on cards that are only reckoned with: whose device is whose, and who makes room for whom."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from simulated_cards import Card

from benchmark.execution.executor import Finished, LocalExecutor
from benchmark.execution.placement.needs import CONTEXT_MB, UNKNOWN_MB
from benchmark.execution.placement.placement import USABLE, Placement
from benchmark.planning.job import Job

ENTRY = "toy_cards:execute"
NEED_MB = CONTEXT_MB + UNKNOWN_MB


def executor(root: Path, *sizes_mb: float, workers: int) -> LocalExecutor:
    cards = [Card(f"cuda:{number}", mb) for number, mb in enumerate(sizes_mb)]
    return LocalExecutor(workers, {"root": str(root), "device": "auto"}, ENTRY, Placement(cards, workers))


def collect(local: LocalExecutor, count: int) -> list[Finished]:
    ended: list[Finished] = []
    while len(ended) < count:
        ended += local.wait(1.0)
    return ended


def test_a_process_has_one_device_for_its_life(tmp_path: Path, job: Callable[..., Job]) -> None:
    with executor(tmp_path, 80_000.0, 80_000.0, workers=4) as local:
        for number in range(8):
            if not local.free_for(one := job(f"job {number}", kind="null")):
                collect(local, 1)
            local.submit(one, 1)
        ended = collect(local, sum(slot.task is not None for slot in local._slots))
        more = [job(f"more {number}", kind="null", gate="open") for number in range(4)]
        for one in more:
            local.submit(one, 1)
        (tmp_path / "work/open").touch()
        ended += collect(local, 4)
    told = [one for finished in ended for one in finished.result["told"]]
    assert len({(one["pid"], one["device"]) for one in told}) == len({one["pid"] for one in told}) <= 4
    devices = [finished.result["told"][0]["device"] for finished in ended[-4:]]
    assert sorted(devices) == ["cuda:0", "cuda:0", "cuda:1", "cuda:1"]


@pytest.mark.parametrize("plenty", [True, False])
def test_idle_processes_are_ended_where_a_device_runs_short(
    tmp_path: Path, job: Callable[..., Job], plenty: bool
) -> None:
    import toy_work

    size = (4 if plenty else 1.5) * NEED_MB / USABLE
    with executor(tmp_path, size, workers=2) as local:
        local.submit(job("owner", kind="host"), 1)
        (first,) = collect(local, 1)
        local.submit(job("thief", role="thief", kind="attacked"), 1)
        (second,) = collect(local, 1)
        made, answered = (one["pid"] for one in second.result["told"])
        keyholder = first.result["told"][0]["pid"]
        assert made != keyholder  # one that held a key never attacks
        assert (answered == keyholder) == plenty
        assert toy_work.alive(keyholder) == plenty
        assert toy_work.alive(made) == plenty  # the court's process took its room
        assert toy_work.alive(answered)


def test_a_job_waits_until_its_memory_is_free(tmp_path: Path, job: Callable[..., Job]) -> None:
    with executor(tmp_path, 1.5 * NEED_MB / USABLE, workers=2) as local:
        first, second = job("first", kind="null", gate="open"), job("second", kind="null")
        local.submit(first, 1)
        assert local.free_slots == 1
        assert not local.free_for(second)
        with pytest.raises(ValueError, match="no room for second"):
            local.submit(second, 1)
        (tmp_path / "work/open").touch()
        collect(local, 1)
        assert local.free_for(second)
