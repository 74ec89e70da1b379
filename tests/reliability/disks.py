"""A disk that fills up or can no longer be written: on a file system of its own, which root alone may mount."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from reliability.plans import Plan, finished
from reliability.strikes import AFTERWARDS, KILL, until
from reliability.toll import Row


def on_a_disk(
    plan: Plan, reference: dict[str, Any], root: Path, fault: str, rooms: Sequence[int | None], ends: Collection[int]
) -> Row:
    """A run is killed, goes on where it can't write, and goes on again where it can.

    rooms: kilobytes that are left on the disk at each attempt; None: it can only be read. ends: the codes that an
    attempt may end with.
    """
    row, folder, disk = Row(fault), root / "disk" / "results", root / "disk"
    store = plan.store(folder)
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=200m", "none", str(disk))
    try:
        for room in rooms:
            run = plan.start(folder)
            waits = until(run, store, plan.seconds / 2)
            row.waits += waits if row.tried else []  # the first attempt continues nothing
            if run.poll() is None:
                KILL.hit(run, store)
            run.communicate()
            time.sleep(AFTERWARDS)
            before = finished(store)
            used = (found := os.statvfs(disk)).f_frsize * (found.f_blocks - found.f_bfree) // 1024
            mount("-o", "remount,ro" if room is None else f"remount,size={used + room}k", str(disk))
            run = plan.start(folder)
            _, errors = run.communicate(timeout=600)
            assert run.returncode in ends, errors
            assert "Traceback" not in errors, errors
            row.struck(before)
            row.compare(before, store)
            mount("-o", "remount,rw,size=200m", str(disk))
        row.waits.append(plan.finish(folder))
        row.compare_end(store, reference)
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
