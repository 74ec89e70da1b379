"""The devices that torch computes on here: their names, and how much memory they have and have free.

Everything that asks a GPU, or the system about one, before a worker computes is in this file. The driver process opens
no context on a GPU, which would take memory of it, so free memory comes from NVIDIA's management library.
"""

from __future__ import annotations

import ctypes
import math
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmark.errors import BenchError

CPU = "cpu"
_NODES = "/dev/nvidiactl", "/dev/dxg", "/dev/kfd"  # of drivers: NVIDIA's, that under Windows, AMD's
_NAME = re.compile(r"auto|cpu|cuda(:\d+)?")


@dataclass(frozen=True)
class Device:
    """Where jobs compute. name: "cpu" or "cuda:N". memory_mb: all that it has, None for the CPU."""

    name: str
    memory_mb: float | None = None
    uuid: str = ""

    def free_mb(self) -> float | None:
        """Megabytes that nobody holds just now; None where nobody can tell."""
        return _free_mb(self.uuid) if self.uuid else None

    def room_mb(self) -> float:
        """Megabytes to be had just now: all, where nobody can tell how much is free, and on the CPU without end."""
        free = self.free_mb()
        return free if free is not None else math.inf if self.memory_mb is None else self.memory_mb


def device_name(wanted: str) -> str:
    """`wanted` as it is. Raises BenchError unless it may name a device: auto, cpu, cuda or cuda:N."""
    if not _NAME.fullmatch(wanted):
        raise BenchError(f"--device is auto, cpu, cuda (every GPU) or cuda:N (one of them), not {wanted!r}")
    return wanted


def devices(wanted: str) -> list[Device]:
    """The devices that `wanted` stands for: every visible GPU for "cuda", and for "auto" where there is one.

    torch is imported only where there may be a GPU. Raises BenchError where one is asked for that isn't there.
    """
    if wanted == CPU or (wanted == "auto" and not any(Path(node).exists() for node in _NODES)):
        return [Device(CPU)]
    gpus = _gpus()
    if not gpus:
        if wanted == "auto":
            return [Device(CPU)]
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1")
        why = "CUDA_VISIBLE_DEVICES hides every GPU: unset it" if hidden else "torch sees no GPU: see bench doctor"
        raise BenchError(f"--device {wanted} was asked for and {why}, or use --device cpu")
    if wanted in ("auto", "cuda"):
        return gpus
    if found := [gpu for gpu in gpus if gpu.name == wanted]:
        return found
    raise BenchError(f"--device {wanted} was asked for and torch sees {len(gpus)} GPUs, counted from cuda:0")


def _gpus() -> list[Device]:
    import torch  # only here: a run on a CPU never loads it

    if not torch.cuda.is_available():
        return []
    found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [
        Device(f"cuda:{number}", one.total_memory / 2**20, f"GPU-{getattr(one, 'uuid', '')}")
        for number, one in enumerate(found)
    ]


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


@cache
def _library() -> ctypes.CDLL | None:
    """NVIDIA's management library, which comes with the driver and needs no context on the GPU."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    return library if library.nvmlInit_v2() == 0 else None


def _free_mb(uuid: str) -> float | None:
    library, handle, memory = _library(), ctypes.c_void_p(), _Memory()
    if (
        library is None
        or library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle)) != 0
        or library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(memory)) != 0
    ):
        return None
    return float(memory.free) / 2**20
