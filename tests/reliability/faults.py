"""What befalls a run from outside, and what of its work is lost: the rows of docs/reliability.md."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.store.records import FINAL, RecordStore
from benchmark.store.verify import verify

HERE = Path(__file__).parent
BENCH = (sys.executable, "-c", "from benchmark.cli import main; main()")
AFTERWARDS = 0.3  # seconds that the processes of a run have to end after it
Hit = Callable[[subprocess.Popen[str]], object]


@dataclass(frozen=True)
class Plan:
    """A command that goes on where it stopped. store: of its folder. seconds: within which a fault comes."""

    command: Callable[[Path], Sequence[str]]
    store: Callable[[Path], RecordStore]
    seconds: float

    def start(self, folder: Path, *options: str, **streams: Any) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | streams
        words = [*self.command(folder), *options]
        return subprocess.Popen(words, text=True, start_new_session=True, **pipes)

    def finish(self, folder: Path, *options: str) -> float:
        """Run it to its end, undisturbed; the seconds that took."""
        began = time.monotonic()
        run = self.start(folder, *options)
        _, errors = run.communicate(timeout=900)
        assert run.returncode == 0, errors
        return time.monotonic() - began


TOY = Plan(lambda folder: [sys.executable, str(HERE / "toy_run.py"), str(folder)], RecordStore, 3)
SMALL = Plan(
    lambda folder: [
        *BENCH, "run", "--profile", str(HERE.parent / "small.toml"), "--schemes", "adi(n=40,k=16,epochs=8)",
        "--attacks", "none,scratch,prune(amount=0.3),jpeg,fresh-key", "--results", str(folder),
        "--device", "cpu", "--workers", "2", "--secret", str(HERE.parent / "support" / "secret.txt"),
    ],
    lambda folder: RecordStore(folder / "store"),
    15,
)  # fmt: skip


@dataclass
class Row:
    """lost: finished records that were gone or made anew. damaged: files and results that are not what they were."""

    fault: str
    tried: int = 0
    lost: int = 0
    damaged: int = 0
    waits: list[float] = field(default_factory=list)  # seconds from the next start to the next finished job

    def compare(self, before: dict[str, int], store: RecordStore) -> None:
        """Count what a fault cost, given what was finished before."""
        after = finished(store)
        self.lost += sum(after.get(name) != stamp for name, stamp in before.items())
        self.damaged += damaged(store)

    def compare_end(self, store: RecordStore, reference: dict[str, Any]) -> None:
        self.damaged += sum(results(store).get(id) != record for id, record in reference.items())

    def __str__(self) -> str:
        wait = f"{statistics.median(self.waits):.1f} s" if self.waits else "–"
        return f"| {self.fault} | {self.tried} | {self.lost} | {self.damaged} | {wait} |"


def finished(store: RecordStore) -> dict[str, int]:
    """When each final record was written."""
    paths = (store.root / "records").glob("*/*.json")
    return {path.name: path.stat().st_mtime_ns for path in paths if store.status(path.stem) in FINAL}


def results(store: RecordStore) -> dict[str, Any]:
    """What all jobs found, without when and where."""
    found = {}
    for path in (store.root / "records").glob("*/*.json"):
        record = json.loads(path.read_bytes())
        kept = {name: value for name, value in record.items() if name not in ("run", "checksum")}
        kept["result"].pop("pid", None)  # of toy jobs
        found[record["id"]] = kept
    return found


def damaged(store: RecordStore) -> int:
    """How many files are not what their records say. A stopped job may have replaced what its record will name."""
    return sum(finding.kind == "damaged" for finding in verify(store)) + len(store.damaged)


def interrupted(plan: Plan, reference: dict[str, Any], root: Path, fault: str, times: int, hit: Hit) -> Row:
    """Start, hit at a random moment, look; again and again, in a new folder whenever the plan is finished."""
    row, dice, number = Row(fault), random.Random(times), 0
    while row.tried < times:
        folder = root / str(number)
        store = plan.store(folder)
        before = finished(store)
        run = plan.start(folder)
        row.waits += _run_until(run, store, before, dice.uniform(0.1, plan.seconds))
        if run.poll() is None:
            hit(run)
            row.tried += 1
        run.communicate(timeout=600)
        time.sleep(AFTERWARDS if run.returncode else 0)
        row.compare(before, store)
        if run.returncode == 0:
            row.compare_end(store, reference)
            number += 1
    plan.finish(folder)
    row.compare_end(store, reference)
    return row


def _run_until(run: subprocess.Popen[str], store: RecordStore, before: dict[str, int], moment: float) -> list[float]:
    """Wait for a moment or the run's end; how long it took to the first new record of a run that goes on."""
    began, waits = time.monotonic(), []
    while run.poll() is None and time.monotonic() < began + moment:
        if before and not waits and len(list((store.root / "records").glob("*/*.json"))) > len(before):
            waits = [time.monotonic() - began]
        time.sleep(0.02)
    return waits


def kill(run: subprocess.Popen[str]) -> None:
    os.killpg(run.pid, signal.SIGKILL)


def send(sign: signal.Signals) -> Hit:
    """A signal to the driver, which has to end by it."""

    def hit(run: subprocess.Popen[str]) -> None:
        run.send_signal(sign)
        assert run.wait(timeout=60) == 128 + sign, run.returncode

    return hit


def kill_a_worker(run: subprocess.Popen[str]) -> None:
    """One of the processes that write to a log of the store's; the run goes on."""
    workers = [int(process.name) for process in Path("/proc").glob("[0-9]*") if _logs(process, run.pid)]
    if workers:
        os.kill(random.Random(run.pid).choice(workers), signal.SIGKILL)


def _logs(process: Path, driver: int) -> bool:
    try:
        words = Path(f"/proc/{driver}/cmdline").read_bytes().split(b"\0")
        return any(word and os.readlink(entry).startswith(os.fsdecode(word) + "/store/logs")
                   for entry in (process / "fd").iterdir() for word in words if b"/" in word)  # fmt: skip
    except OSError:
        return False


def flipped(plan: Plan, whole: Path, root: Path, fault: str, times: int) -> Row:
    """One bit of one file at a time, found or without meaning; then several, and the run that makes them again."""
    row, dice, folder = Row(fault), random.Random(5), shutil.copytree(whole, root / "flipped")
    store, reference = plan.store(folder), results(plan.store(whole))
    files = [path for room in ("records", "artefacts", "keys") for path in (store.root / room).glob("*/*")]
    for _ in range(times):
        path = dice.choice(files)
        data = path.read_bytes()
        path.write_bytes(flip(data, dice))
        same = path.suffix == ".json" and results(store) == reference if _readable(path) else False
        row.tried += 1
        row.damaged += not same and damaged(store) == 0
        path.write_bytes(data)
    for path in dice.sample(files, min(5, len(files))):
        path.write_bytes(flip(path.read_bytes(), dice))
    row.waits.append(plan.finish(folder, "--retry", "damaged"))
    row.compare_end(store, reference)
    row.damaged += damaged(store)
    return row


def flip(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    changed[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _readable(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes())["result"], dict)
    except (ValueError, KeyError, TypeError):
        return False


def two_runs(plan: Plan, reference: dict[str, Any], root: Path, fault: str, times: int) -> Row:
    """Started at once on one store: the second waits, and finds the work of the first."""
    row = Row(fault)
    for number in range(times):
        folder = root / f"two-{number}"
        runs = [plan.start(folder), plan.start(folder)]
        for run in runs:
            _, errors = run.communicate(timeout=900)
            assert run.returncode == 0, errors
        row.tried += 1
        row.lost += len(reference) - len(finished(plan.store(folder)))
        row.compare_end(plan.store(folder), reference)
    return row


def under(plan: Plan, reference: dict[str, Any], root: Path, fault: str, *options: str) -> Row:
    """A run under a limit that not all jobs can keep; then one without it."""
    folder, row = root / "under", Row(fault, tried=1)
    run = plan.start(folder, *options)
    run.communicate(timeout=900)
    assert run.returncode in (0, 3), run.returncode
    before = finished(plan.store(folder))
    row.waits.append(plan.finish(folder))
    row.compare(before, plan.store(folder))
    row.compare_end(plan.store(folder), reference)
    return row


def closed_output(plan: Plan, reference: dict[str, Any], root: Path, fault: str) -> Row:
    """Whoever reads the output leaves after the first line."""
    folder, row = root / "closed", Row(fault, tried=1)
    run = plan.start(folder, stdout=subprocess.PIPE)
    assert run.stdout is not None
    run.stdout.readline()
    run.stdout.close()
    assert run.wait(timeout=900) == 0
    row.compare_end(plan.store(folder), reference)
    return row


def on_a_disk(
    plan: Plan, reference: dict[str, Any], root: Path, fault: str, rooms: Sequence[int | None], ends: Collection[int]
) -> Row:
    """On a file system of its own, which is mounted anew for each attempt; root alone may do this.

    rooms: kilobytes that are left on it; None: it can only be read. ends: the codes that an attempt may end with.
    """
    row, folder, disk = Row(fault), root / "disk" / "results", root / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=200m", "none", str(disk))
    try:
        for room in rooms:
            run = plan.start(folder)
            _run_until(run, plan.store(folder), {}, plan.seconds / 2)
            kill(run)
            run.communicate()
            time.sleep(AFTERWARDS)
            before = finished(plan.store(folder))
            used = (found := os.statvfs(disk)).f_frsize * (found.f_blocks - found.f_bfree) // 1024
            mount("-o", "remount,ro" if room is None else f"remount,size={used + room}k", str(disk))
            run = plan.start(folder)
            _, errors = run.communicate(timeout=600)
            assert run.returncode in ends, errors
            assert "Traceback" not in errors, errors
            row.tried += 1
            row.compare(before, plan.store(folder))
            mount("-o", "remount,rw,size=200m", str(disk))
        row.waits.append(plan.finish(folder))
        row.compare_end(plan.store(folder), reference)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
        disk.rmdir()
    return row


def mount(*words: str) -> None:
    """Again for half a minute where it is busy: workers outlive a killed driver by a moment, and hold files open."""
    for _ in range(30):
        done = subprocess.run(["mount", *words], capture_output=True, text=True)
        if done.returncode == 0:
            return
        time.sleep(1)
    raise RuntimeError(done.stderr)
