"""Jobs on the nodes of a real Ray cluster: two nodes on this machine, each with a CPU and processes of its own."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bench import arguments, bench, bench_here, records
from toy_bench import Recorder

from benchmark.errors import BenchError
from benchmark.execution.scheduler import run_jobs
from benchmark.planning.job import Job
from benchmark.store.records import RecordStore

pytest.importorskip("ray", reason="Ray is not installed: pip install 'watermark-bench[ray]'")
import ray
from odd_server import FillingServer, FullServer, OddServer
from ray.cluster_utils import Cluster

from benchmark.execution.cluster import connection, places
from benchmark.execution.cluster.connection import Head
from benchmark.execution.cluster.ray_executor import RayExecutor

TESTS = Path(__file__).parents[2]
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
HALVE = '''
"""A file beside a plug-in, which goes where the plug-in goes."""
SHARE = 0.5
'''
SHRINK = '''
from dataclasses import dataclass

import torch
from halve import SHARE

from benchmark import contract as wm


@dataclass(frozen=True)
class Shrink(wm.Attack):
    """Makes every weight smaller."""

    name = "shrink"
    family = "test"
    kind = "removal"

    def run(self, thief: wm.Thief) -> torch.nn.Module:
        with torch.no_grad():
            for weight in thief.model.parameters():
                weight *= SHARE
        return thief.model
'''


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with pytest.MonkeyPatch.context() as patch:  # for the processes of the nodes
        patch.setenv("PYTHONPATH", os.pathsep.join(map(str, (TESTS.parent, TESTS / "benchmark", TESTS / "support"))))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # else they starve beside other tests
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        try:
            cluster.add_node(**NODE)
            yield cluster
        finally:
            cluster.shutdown()


class Watch:
    """Every file that lies in the folders of servers while it watches, as `server/path`."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.05):
            for base in Path(tempfile.gettempdir()).glob("watermark-bench-*"):
                for folder, _, names in os.walk(base):
                    self.seen |= {str(Path(folder, name).relative_to(base)) for name in names}

    def of(self, side: str) -> set[str]:
        """What lay with the servers of one side, without the name of the server."""
        return {one.partition("/")[2] for one in self.seen if one.partition("/")[0].endswith(side)}


def test_records_equal_those_of_the_local_executor_and_no_key_is_where_thieves_are(
    cluster: Cluster, tmp_path: Path
) -> None:
    profile, plugin = tmp_path / "tiny.toml", tmp_path / "shrink.py"
    small = (TESTS / "small.toml").read_text()
    profile.write_text(small.replace("epochs = 5", "epochs = 1"))
    plugin.write_text(SHRINK)
    (tmp_path / "halve.py").write_text(HALVE)
    ways = {"local": ["--workers", "2"], "ray": ["--executor", "ray", "--address", cluster.address]}
    own = ["--profile", str(profile), "--plugin", str(plugin)]
    with Watch() as watch:
        for name, options in ways.items():
            scheme, attacks = "adi(n=40,k=16,epochs=2)", "none,fresh-key,shrink"
            done = bench(*arguments(tmp_path / name, *own, *options, schemes=scheme, attacks=attacks))
            assert done.returncode == 0, done.stdout + done.stderr
    assert "raylet" not in done.stdout + done.stderr
    local, remote = (records(tmp_path / name) for name in ways)
    assert len(local) > 15
    assert {record["status"] for record in local.values()} == {"ok"}
    assert remote == local
    for record in remote.values():
        store = RecordStore(tmp_path / "ray" / "store")
        assert all(path.is_file() for path in store.artefacts(record | {"checksum": ""}))

    thieves, keyholders = watch.of("thief"), watch.of("keyholder")
    assert any(one.startswith("store/keys/") and one.endswith(".key.safetensors") for one in keyholders)
    assert "store/keys/secret" in keyholders
    assert any(one.startswith("store/artefacts/") for one in thieves)
    assert not [one for one in thieves if one.startswith(("store/keys/", "store/records/"))]
    images = {one.split("-")[1] for one in thieves if one.endswith("-x.npy")}
    assert images == {"thief"}
    assert time_until_gone() < 30


def time_until_gone() -> float:
    """Seconds until the servers of runs that ended have removed their folders."""
    began = time.monotonic()
    while any(Path(tempfile.gettempdir()).glob("watermark-bench-*")) and time.monotonic() - began < 30:
        time.sleep(0.1)
    return time.monotonic() - began


def test_a_node_with_other_code_or_packages_is_named(
    cluster: Cluster, tmp_path: Path, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(places, "engine_hash", lambda: "edited since")
        with pytest.raises(BenchError, match=r"node \S+ has another version of watermark-bench than this machine"):
            executor(cluster, tmp_path, [job("a")])
    monkeypatch.setattr(places, "StepServer", OddServer)
    with pytest.raises(BenchError, match=r"node \S+ has numpy 1\.0, and another node [\d.]+: install the same version"):
        executor(cluster, tmp_path, [job("a")])
    monkeypatch.setattr(places, "StepServer", FullServer)
    with pytest.raises(BenchError, match=r"\(.*No space left on device\): mend this there and run the same command"):
        executor(cluster, tmp_path, [job("a")])


def executor(cluster: Cluster, root: Path, jobs: list[Job], say: Callable[[str], None] = print) -> RayExecutor:
    """An executor for toy jobs."""
    return RayExecutor(cluster.address, None, {"root": str(root)}, jobs, say, "toy_work:execute")


@pytest.mark.timeout(60)
def test_a_node_whose_disk_fills_ends_the_run_when_what_has_ended_is_kept(
    cluster: Cluster, tmp_path: Path, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "StepServer", FillingServer)
    jobs, sentence = [job(name, role="court") for name in "abc"], r"No space left on device; everything finished"
    with executor(cluster, tmp_path, jobs) as on_nodes:
        for one in jobs[:2]:
            on_nodes.submit(one, 1)
        ray.wait(list(on_nodes._ways), num_returns=2)  # so that one look finds both
        assert [one.status for one in on_nodes.wait(1.0)] == ["ok"]
        with pytest.raises(BenchError, match=sentence):
            on_nodes.wait(1.0)
        with pytest.raises(BenchError, match=sentence):
            on_nodes.submit(jobs[2], 1)


def test_objects_that_ray_spills_are_hidden(cluster: Cluster) -> None:
    head = Head(cluster.address)
    try:
        hidden = [Path(one) for one in head.spill_folders()]
        kept = [ray.put(bytes(16 << 20)) for _ in range(8)]  # the object store holds 80 MiB
        assert len(kept) == 8
        assert len(hidden) == 2
        assert any(found.is_file() for one in hidden for found in one.glob("*"))
        assert not set(hidden[0].parent.glob("ray_spilled_objects*")) - set(hidden)
    finally:
        head.leave()


def ray_node(cpus: int, gpus: int) -> dict[str, Any]:
    return {"Alive": True, "NodeID": "a", "NodeManagerAddress": "b", "Resources": {"CPU": cpus, "GPU": gpus}}


@pytest.mark.parametrize(
    ("cpus", "gpus", "workers", "slots"),
    [
        (32, 4, None, [6] * 4),
        (8, 4, None, [2] * 4),
        (2, 8, None, [1] * 2),
        (32, 8, 2, [1] * 2),
        (32, 2, 16, [8] * 2),
        (4, 0, None, [4]),
        (4, 0, 2, [2]),
    ],
)
def test_a_node_never_takes_more_jobs_than_it_has_cpus(
    cpus: int, gpus: int, workers: int | None, slots: list[int]
) -> None:
    found = places.find_places([ray_node(cpus, gpus)], "auto", workers)
    assert [one.slots for one in found] == slots
    assert all(one.gpu == bool(gpus) for one in found)


def test_a_head_that_went_away_is_one_sentence(cluster: Cluster) -> None:
    head = Head(cluster.address)
    try:
        head.look()
        head.address = "127.0.0.1:9"
        with pytest.raises(BenchError, match=r"the Ray head 127\.0\.0\.1:9 is gone; everything finished is kept"):
            head.look()
    finally:
        head.leave()
        head.leave()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nonsense", "127.0.0.1:99999999"])
def test_an_address_where_nobody_answers_is_one_sentence(address: str) -> None:
    with pytest.raises(BenchError, match=f"nobody answers at --address {address}: give the address"):
        Head(address)


def test_an_address_of_something_else_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_STATUS_SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(BenchError, match=f"no Ray head answers at --address {address}"):
            Head(address)
    with pytest.raises(BenchError, match="run the command on a machine of the cluster"):
        Head("ray://127.0.0.1:10001")


def test_a_gpu_of_this_machine_is_no_place_of_a_cluster(tmp_path: Path) -> None:
    code, _, error = bench_here(*arguments(tmp_path, "--executor", "ray", "--device", "cuda:0", attacks="none"))
    assert code == 2
    assert error.startswith("--device cuda:0 names a GPU of this machine: with --executor ray use --device cuda, which")


def test_without_ray_the_command_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, error = bench_here(*arguments(tmp_path, "--executor", "ray"))
    assert (code, error) == (2, "--executor ray needs Ray, which is not installed: pip install 'watermark-bench[ray]'")
    code, _, error = bench_here(*arguments(tmp_path, "--address", "127.0.0.1:6379"))
    assert (code, error) == (2, "--address names the head of a Ray cluster: give --executor ray with it")


@pytest.mark.timeout(300)
def test_a_node_that_dies_in_the_middle_costs_no_record(
    cluster: Cluster, tmp_path: Path, job: Callable[..., Job]
) -> None:
    """It stands last, since it leaves the cluster with one node."""
    (begun := tmp_path / "begun").mkdir()
    go = begun / "go"
    hosts = [job(f"host {number}") for number in range(2)]
    hosts += [job(f"waiting {host.label}", "wait", parents=(host,), until=str(go)) for host in hosts]
    thieves = [job(f"thief {number}", role="thief", parents=(host,)) for number, host in enumerate(hosts)]
    said: list[str] = []

    class Killer(Recorder):
        """Kills the second node when something is finished and both are at work on what waits for that."""

        def started(self, job: Job) -> None:
            super().started(job)
            if {one.label for one in hosts[2:]} <= set(self.of("started")) and not go.exists():
                while len(list(begun.iterdir())) < 2:
                    time.sleep(0.02)
                cluster.remove_node(cluster.list_all_nodes()[1], allow_graceful=False)
                go.touch()

    events, store = Killer(), RecordStore(tmp_path)
    jobs: list[Any] = [*hosts, *thieves]
    with executor(cluster, tmp_path, jobs, said.append) as on_nodes:
        assert on_nodes.free_slots == 2
        summary = run_jobs(jobs, store, on_nodes, events)
        assert on_nodes.free_slots == 1
    assert set(summary.statuses.values()) == {"ok"}
    assert sorted(events.of("finished")) == sorted(one.label for one in jobs)
    assert all(store.finished(one.id) for one in jobs)
    assert len(said) == 1
    assert "was lost: what ran there runs again, on the nodes that are left" in said[0]
