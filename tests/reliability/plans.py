"""Commands that go on where they stopped, and what they leave in a store."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmark.store.records import FINAL, RecordStore

HERE = Path(__file__).parent
BENCH = (sys.executable, "-c", "from benchmark.cli import main; main()")
LOOKS = 0.02  # seconds between two looks at a store


@dataclass(frozen=True)
class Plan:
    """store: of its folder. seconds: within which a fault comes. options: beside the command's own. head: a folder to
    begin with, in place of none."""

    command: Callable[[Path], Sequence[str]]
    store: Callable[[Path], RecordStore]
    seconds: float
    options: tuple[str, ...] = ()
    head: Path | None = None

    def start(self, folder: Path, *options: str, **streams: Any) -> subprocess.Popen[str]:
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | streams
        words = [*self.command(folder), *self.options, *options]
        if self.head and not folder.exists():
            shutil.copytree(self.head, folder)
        return subprocess.Popen(words, text=True, start_new_session=True, **pipes)

    def finish(self, folder: Path, *options: str) -> float:
        """Run it to its end, undisturbed; the seconds to its first record, or to the end where it writes none."""
        began, held = time.monotonic(), stamps(self.store(folder))
        run = self.start(folder, *options)
        while run.poll() is None and stamps(self.store(folder)) == held:
            time.sleep(LOOKS)
        waited = time.monotonic() - began
        _, errors = run.communicate(timeout=900)
        assert run.returncode == 0, errors
        return waited


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

HUNGRY = replace(SMALL, options=("--plugin", str(HERE / "hungry.py"), "--attacks", "none,hungry"))


def record_files(store: RecordStore) -> list[Path]:
    return list((store.root / "records").glob("*/*.json"))


def stamps(store: RecordStore) -> dict[str, int]:
    """When each record was written, whatever is in it: quick enough to be asked while a run writes."""
    found = {}
    for path in record_files(store):
        with suppress(FileNotFoundError):  # set aside since
            found[path.name] = path.stat().st_mtime_ns
    return found


def finished(store: RecordStore) -> dict[str, int]:
    """The same of those that are whole and final. No file is set aside, as a look by the store itself would."""
    final = {f"{record['id']}.json" for record in store.readable() if record["status"] in FINAL}
    return {name: stamp for name, stamp in stamps(store).items() if name in final}


def results(store: RecordStore) -> dict[str, Any]:
    """What all jobs found, without when and where."""
    found = {}
    for path in record_files(store):
        record = json.loads(path.read_bytes())
        kept = {name: value for name, value in record.items() if name not in ("run", "checksum")}
        kept["result"].pop("pid", None)  # of toy jobs
        found[record["id"]] = kept
    return found


def begun(whole: Path, to: Path, nulls: int) -> Path:
    """A results folder whose run was stopped after so many unmarked models."""
    store = RecordStore(shutil.copytree(whole, to, copy_function=shutil.copy2) / "store")
    for record in list(store.readable()):
        if record["kind"] != "null" or record["job"]["index"] >= nulls:
            for path in store.root.glob(f"*/{record['id'][:2]}/{record['id']}.*"):
                path.unlink()
    assert len(record_files(store)) == nulls
    return to
