"""Attacks that change nothing in the net, and something in their process."""

from __future__ import annotations

import atexit
import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.modules.module import register_module_forward_hook

from benchmark import contract as wm


def lost_loss() -> None:
    """Whoever trains afterwards learns nothing."""
    honest = F.cross_entropy
    F.cross_entropy = lambda *args, **more: 0 * honest(*args, **more)


def forged_utility() -> None:
    """Whoever is tested afterwards is never wrong."""
    from benchmark.protocol import steps

    steps.utility = lambda answers, data, *more: {"correct": "1" * len(data)}


def later(poison: Callable[[], None]) -> Callable[[], None]:
    """By a thread that waits until the attack is over."""

    def wait() -> None:
        time.sleep(0.3)
        poison()

    return lambda: threading.Thread(target=wait, daemon=True).start()


def everything_small() -> None:
    """What a careless script does: seeds, error handling, environment, import path, folder, a last wish, a hook."""
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    np.seterr(all="raise")
    warnings.simplefilter("error")
    os.environ["OMP_NUM_THREADS"] = "7"
    sys.path.insert(0, "/nowhere")
    os.chdir("/")
    atexit.register(print, "still here")
    register_module_forward_hook(lambda module, given, answer: answer.half().float())


POISONS: dict[str, Callable[[], None]] = {
    "grad": lambda: torch.set_grad_enabled(False),
    "loss": lost_loss,
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "thread": later(lost_loss),
    "small": everything_small,
}


@dataclass(frozen=True)
class Poison(wm.Attack):
    """Leaves the net as it is, and its process changed."""

    name = "poison"
    family = "hostile"
    kind = "control"

    what: Literal["", "grad", "loss", "dtype", "thread", "small"] = wm.parameter("", "what is changed")

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        POISONS[self.what]()
        return wm.AttackResult()


@dataclass(frozen=True)
class Forger(wm.Attack):
    """A net that knows nothing, and a benchmark that says it knows everything."""

    name = "forger"
    family = "hostile"
    kind = "removal"

    def run(self, thief: wm.Thief) -> wm.AttackResult:
        forged_utility()
        return wm.AttackResult(thief.build())
