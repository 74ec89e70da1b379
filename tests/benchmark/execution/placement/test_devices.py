"""Which devices there are. torch's and the driver's answers are the edge: no GPU is at hand."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmark.errors import BenchError
from benchmark.execution.placement import devices as edge
from benchmark.execution.placement.devices import Device, device_name, devices

GIB = 1 << 30


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def see(count: int) -> None:
        monkeypatch.setattr(edge, "_NODES", ("/dev/null",))
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(
            torch.cuda, "get_device_properties", lambda one: SimpleNamespace(total_memory=80 * GIB, uuid=f"0{one}")
        )

    return see


def test_auto_and_cuda_are_every_gpu_and_a_number_is_one(gpus: Callable[[int], None]) -> None:
    gpus(2)
    both = [Device("cuda:0", 80 * 1024, "GPU-00"), Device("cuda:1", 80 * 1024, "GPU-01")]
    assert devices("auto") == devices("cuda") == both
    assert devices("cuda:1") == both[1:]
    assert devices("cpu") == [Device("cpu")]
    gpus(0)
    assert devices("auto") == [Device("cpu")]


@pytest.mark.parametrize(("count", "visible", "wanted", "sentence"), [
    (2, None, "cuda:7", "--device cuda:7 was asked for and torch sees 2 GPUs, counted from cuda:0"),
    (0, None, "cuda", "--device cuda was asked for and torch sees no GPU: see bench doctor, or use --device cpu"),
    (0, "", "cuda:0", "cuda:0 was asked for and CUDA_VISIBLE_DEVICES hides every GPU: unset it, or use --device cpu"),
])  # fmt: skip
def test_a_gpu_that_is_not_there_is_one_sentence(
    gpus: Callable[[int], None], monkeypatch: pytest.MonkeyPatch, count: int, visible: str | None, wanted: str,
    sentence: str,
) -> None:  # fmt: skip
    gpus(count)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(BenchError) as raised:
        devices(wanted)
    assert str(raised.value).endswith(sentence)


def test_names() -> None:
    assert [device_name(one) for one in ("auto", "cpu", "cuda", "cuda:12")] == ["auto", "cpu", "cuda", "cuda:12"]
    for wrong in ("gpu", "cuda:", "cuda:-1", "CUDA", "cuda:0 "):
        with pytest.raises(BenchError, match="--device is auto, cpu, cuda"):
            device_name(wrong)


def test_a_cpu_without_a_driver_needs_no_torch() -> None:
    code = (
        "import sys; from benchmark.execution.placement import devices as edge; edge._NODES = ('/nowhere',); "
        "assert edge.devices('auto')[0].name == 'cpu'; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class Driver:
    """NVIDIA's management library on a machine with one GPU."""

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: Any) -> int:
        handle._obj.value = 77
        return 0 if uuid == b"GPU-01" else 6

    def nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> int:
        memory._obj.total, memory._obj.free, memory._obj.used = 80 * GIB, 5 * GIB, 75 * GIB
        return 0 if handle.value == 77 else 2


def test_free_memory_is_the_drivers_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "_library", Driver)
    assert Device("cuda:1", 80 * 1024, "GPU-01").free_mb() == 5 * 1024
    assert Device("cuda:0", 80 * 1024, "GPU-00").free_mb() is None
    assert Device("cpu").free_mb() is None
    monkeypatch.setattr(edge, "_library", lambda: None)
    assert Device("cuda:1", 80 * 1024, "GPU-01").free_mb() is None
