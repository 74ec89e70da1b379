"""What must hold of attacks and of schemes alike, whoever acts."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from benchmark.app.kit.findings import REBUILT_OTHERWISE, CheckResult, Fault, sentence
from benchmark.app.kit.names import CHECKS
from benchmark.execution.processes.plugin_class import place
from benchmark.execution.processes.process_state import ProcessState
from benchmark.protocol.objects import Service


def check_results(
    kind: Literal["scheme", "attack"], case: object, rested_on: Collection[str], act: Callable[..., Any], file: Path
) -> Iterator[CheckResult]:
    """Every check of the kind in their order, each a method of `case`; after one of `rested_on` failed, no other.

    act: the method of the plug-in in `file` that is blamed for whatever its objects do where nobody expects it.
    """
    for check in CHECKS[kind]:
        try:
            yield CheckResult(check, detail=getattr(case, check)())
        except Fault as fault:
            yield CheckResult(check, str(fault))
            if check in rested_on:
                return
        except Exception as error:
            yield CheckResult(check, sentence(error, act, file))
            return


def seed_generators(seed: int) -> None:
    """Seed the global generators, otherwise each time: nothing may rest on them."""
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def must_repeat(part: str | None, where: str, streams: str) -> str:
    """part: in what two runs from one seed differ, None where in nothing. streams: what its author may draw from."""
    if part is not None:
        raise Fault(
            f"{where}: two runs from one seed differ (in {part}): draw from {streams} alone, never from "
            "torch's, numpy's or Python's own generator, and keep nothing from one run to the next"
        )
    return "two runs are equal"


def must_leave_process(before: ProcessState, where: str) -> str:
    """The settings of the process are as they were."""
    if changed := before.changed():
        raise Fault(
            f"{where}: it changed {', '.join(changed[:3])} for whatever runs next in its process: put it "
            "back, or do without"
        )
    return "nothing was changed"


def must_answer_alike(given: Tensor, stored: Tensor, service: Service, act: Callable[..., Any]) -> str:
    """Answers of a model as it was given, and of the service that was rebuilt from what is stored of it."""
    if given.shape != stored.shape or not torch.allclose(given, stored, rtol=1e-3, atol=1e-4):
        raise Fault(f"{place(act)}: {REBUILT_OTHERWISE}")
    return f"{sum(tensor.numel() for tensor in service.net.state.values()):,} numbers and a spec"
