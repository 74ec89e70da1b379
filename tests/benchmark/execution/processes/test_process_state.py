"""What counts as left behind in a process: not what torch's compiler does when it is first used."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest
import torch
import torch._dynamo  # now, for import_module is replaced below

from benchmark.execution.processes import process_state
from benchmark.execution.processes.process_state import ProcessState
from benchmark.training.capture import _compile


def test_only_the_first_use_of_the_compiler_may_replace_functions_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, process_state._COMPILER, raising=False)

    def imported(name: str) -> None:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))

    monkeypatch.setattr(importlib, "import_module", imported)
    forward = torch.nn.Linear.forward
    before = ProcessState()
    _compile([], "inductor")
    monkeypatch.setattr(torch.nn.Linear, "forward", print)
    assert before.changed() == []
    later = ProcessState()
    _compile([], "inductor")
    monkeypatch.setattr(torch.nn.Linear, "forward", forward)
    assert later.changed() == ["torch.nn.Linear.forward"]
