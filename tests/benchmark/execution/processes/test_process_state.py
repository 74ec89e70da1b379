"""What counts as left behind in a process: not what torch's compiler does when it is first used."""

from __future__ import annotations

import importlib
import subprocess
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


def test_what_the_import_of_torchs_compiler_wraps_is_no_change_and_what_code_wraps_is() -> None:
    script = (
        "import functools, torch\n"
        "from benchmark.execution.processes.process_state import ProcessState\n"
        "before, seed = ProcessState(), torch.manual_seed\n"
        "import torch._dynamo\n"
        "assert torch.manual_seed is not seed and before.changed() == [], before.changed()\n"
        "torch.manual_seed = functools.wraps(seed)(lambda number: seed(1))\n"
        "assert before.changed() == ['torch.manual_seed'], before.changed()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
