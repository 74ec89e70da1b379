"""In which of three ways steps of training are carried out: by Python each, captured, or compiled and captured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

# Measured with ResNet-18 and bf16 on an H200 (docs/performance.md): compiled steps gain nothing at batch 128 and 2.5 ms
# at batch 512. The compiler takes WARM_UP seconds for the first net of a kind, and a process trains some NETS of each.
WORTH = 2.3e11  # multiply-adds of a step from which on compiling gains
GAIN = 3.9e-15  # seconds for each multiply-add beyond
WARM_UP, NETS = 20.0, 8


@dataclass(frozen=True)
class Engine:
    """How `fit` carries out its steps. Another engine changes the last digits of what it trains.

    captured: a step is recorded once, as a CUDA graph, and repeated. compiler: the backend of torch.compile for the
    nets that a captured step calls, where that pays for its warm-up; "" for none.
    """

    captured: bool = False
    compiler: str = ""

    def compiles(self, steps: int, operations: int) -> bool:
        """Whether `steps` of so many multiply-adds each pay for the compiler's warm-up: counted, never timed.

        So the same job is compiled on every machine, however busy that is.
        """
        return bool(self.compiler) and NETS * steps * max(0.0, operations - WORTH) * GAIN >= WARM_UP


EAGER = Engine()


def engine_for(device: torch.device, wanted: Literal["auto", "eager"], *, foreign: bool = False) -> Engine:
    """The engine of a device, unless a profile wants "eager".

    foreign: the nets or losses are of somebody else's code. A step may do there what a replay would not repeat, such as
    counting in Python, so these run as they are written.
    """
    if device.type != "cuda" or wanted == "eager" or foreign:
        return EAGER
    return Engine(captured=True, compiler="inductor")
