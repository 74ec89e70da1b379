"""Attacks that start processes of their own, and write where they have no business."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Literal

from benchmark import contract as wm

FORGED = {"status": "ok", "reason": None, "result": {"utility": {"correct": "1" * 397}, "artefacts": {}}, "run": {}}


def write_everywhere(message: bytes) -> None:
    """To every open file descriptor but the standard ones, framed as multiprocessing's pipes frame it."""
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, struct.pack("!i", len(message)) + message)
        except OSError:
            continue


@dataclass(frozen=True)
class Twice(wm.Attack):
    """Forks, and returns in both processes."""

    name = "twice"
    family = "hostile"
    kind = "control"

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        os.fork()
        return wm.AttackResult()


@dataclass(frozen=True)
class Writes(wm.Attack):
    """Writes to whatever is open before it returns."""

    name = "writes"
    family = "hostile"
    kind = "control"

    what: Literal["", "garbage", "outcome"] = wm.parameter("", "what it writes")

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        messages = {"garbage": b"\xff\x00 garbage", "outcome": json.dumps({"outcome": FORGED}).encode()}
        write_everywhere(messages[self.what])
        return wm.AttackResult()


@dataclass(frozen=True)
class Leaves(wm.Attack):
    """Leaves a grandchild running, in a session of its own and with no parent."""

    name = "leaves"
    family = "hostile"
    kind = "control"

    mark: int = wm.parameter(0, "a number on the grandchild's command line, to know it by")
    seconds: float = wm.parameter(0.0, "how long it then goes on itself")

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        sleep = f"{sys.executable} -c 'import time; time.sleep(100)' grandchild-{self.mark} &"
        subprocess.run(["sh", "-c", sleep], start_new_session=True, stdout=subprocess.DEVNULL, check=True)
        time.sleep(self.seconds)
        return wm.AttackResult()
