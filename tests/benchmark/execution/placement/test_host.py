"""How many workers this process may have: cores and memory, read from a machine's files as they are written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmark.errors import BenchError
from benchmark.execution.placement import host

MEMINFO = "MemTotal:       65536000 kB\nMemFree:         1000000 kB\nMemAvailable:   {free} kB\n"


def machine(root: Path, groups: str, *, free_mb: int = 64_000, **files: str) -> Path:
    """A root folder with /proc and /sys/fs/cgroup; files: by path below the latter, with __ for /."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    (root / "proc/meminfo").write_text(MEMINFO.format(free=free_mb * 1024))
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("--", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))


def test_one_a_core_where_nothing_limits(tmp_path: Path) -> None:
    assert host.workers(None, root=machine(tmp_path, "0::/\n")) == 16


def test_a_quota_of_any_group_around_counts(tmp_path: Path) -> None:
    inner = {"pod__job__cpu--max": "max 100000\n", "pod__cpu--max": "350000 100000\n"}
    assert host.cores(machine(tmp_path / "2", "0::/pod/job\n", **inner)) == 3
    old = {"cpu__job__cpu--cfs_quota_us": "50000\n", "cpu__job__cpu--cfs_period_us": "100000\n"}
    old |= {"cpu__cpu--cfs_quota_us": "-1\n", "cpu__cpu--cfs_period_us": "100000\n"}
    assert host.cores(machine(tmp_path / "1", "4:memory:/job\n2:cpu,cpuacct:/job\n0::/\n", **old)) == 1


def test_memory_of_the_machine_and_of_every_group_counts(tmp_path: Path) -> None:
    files = {
        "job__memory--max": f"{4 << 30}\n", "job__memory--current": f"{3 << 30}\n",
        "job__memory--stat": f"anon {2 << 30}\ninactive_file {1 << 30}\n", "memory--max": "max\n",
    }  # fmt: skip
    assert host.memory_mb_free(machine(tmp_path / "2", "0::/job\n", **files)) == 2048
    old = {
        "memory__memory--limit_in_bytes": f"{8 << 30}\n", "memory__memory--usage_in_bytes": f"{7 << 30}\n",
        "memory__memory--stat": "total_inactive_file 0\n",
    }  # fmt: skip
    # a container sees its own group at the top, and not under the path that it has outside
    assert host.memory_mb_free(machine(tmp_path / "1", "4:memory:/docker/0123\n0::/\n", **old)) == 1024
    assert host.memory_mb_free(machine(tmp_path / "0", "", free_mb=512)) == 512
    assert host.memory_mb_free(tmp_path / "nothing there") is None


def test_the_kernels_kills_for_memory_are_counted_from_now(tmp_path: Path) -> None:
    counts = machine(tmp_path, "0::/\n") / "proc/vmstat"
    counts.write_text("nr_free_pages 7\noom_kill 2\n")
    kills = host.MemoryKills(tmp_path)
    assert not kills.happened()
    counts.write_text("nr_free_pages 7\noom_kill 3\n")
    assert kills.happened()
    assert not kills.happened()
    assert not host.MemoryKills(tmp_path / "nothing there").happened()


def test_no_more_workers_than_memory_holds(tmp_path: Path) -> None:
    root = machine(tmp_path, "0::/\n", free_mb=5 * host.WORKER_MB + 1)
    assert host.workers(None, root=root) == 5
    assert host.workers(5, root=root) == 5
    assert host.workers(None, host.WORKER_MB * 2, root) == 2
    assert host.workers(5, host.WORKER_MB * 2, root) == 5  # a limit is no need
    with pytest.raises(BenchError, match=r"^--workers 6 need about 2\.3 GB .* 2\.0 GB are free: at most 5 fit$"):
        host.workers(6, root=root)
    assert host.workers(None, host.WORKER_MB * 50, root) == 1  # one is always tried
