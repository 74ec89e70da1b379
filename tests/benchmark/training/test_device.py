"""One device rule: one thread, no TF32, and nobody makes a device in another way."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import torch

from benchmark.errors import BenchError
from benchmark.training.device import device_of

HARNESS = Path(__file__).resolve().parents[3] / "benchmark"


@pytest.fixture(autouse=True)
def as_before() -> None:
    threads, rounds = torch.get_num_threads(), torch.backends.cudnn.allow_tf32
    torch.set_num_threads(2)
    torch.backends.cudnn.allow_tf32 = True
    yield
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = rounds


@pytest.mark.parametrize(("wanted", "gpu", "found"), [
    ("cpu", True, "cpu"), ("cpu", False, "cpu"), ("auto", False, "cpu"), ("auto", True, "cuda"), ("cuda", True, "cuda"),
])  # fmt: skip
def test_every_device_has_the_same_arithmetic(
    monkeypatch: pytest.MonkeyPatch, wanted: str, gpu: bool, found: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    assert device_of(wanted) == torch.device(found)
    assert torch.get_num_threads() == 1
    assert not torch.backends.cudnn.allow_tf32


def test_a_gpu_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BenchError, match="--device cuda was asked for and torch sees no GPU"):
        device_of("cuda")


def test_a_gpu_with_a_number_is_the_only_one_of_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert device_of("cuda:1") == torch.device("cuda:1")
    assert chosen == [torch.device("cuda:1")]
    with pytest.raises(BenchError, match="--device cuda:2 was asked for and torch sees 2 GPUs, counted from cuda:0"):
        device_of("cuda:2")


def test_workers_embed_verify_and_replay_use_the_rule_and_nothing_else_does_without() -> None:
    callers, makers = set(), set()
    for path in HARNESS.rglob("*.py"):
        calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)}
        name = path.relative_to(HARNESS).as_posix()
        callers |= {name} if "device_of" in calls else set()
        makers |= {name} if calls & {"torch.device", "torch.set_num_threads"} else set()
    assert callers >= {"execution/job_runner.py", "app/single_model.py", "app/replay.py"}
    assert makers == {"training/device.py"}
