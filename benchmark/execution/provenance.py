"""Under which circumstances a job ran: device, memory, versions. Nothing here may decide a result."""

from __future__ import annotations

import platform
import resource
from functools import cache
from pathlib import Path
from typing import Any

import torch

from benchmark.execution.doctor import version


def circumstances(device: torch.device) -> dict[str, Any]:
    """Peak memory in MB (of the device, or of this process), device, hardware and library versions."""
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated(device) / 2**20
        torch.cuda.reset_peak_memory_stats(device)
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "peak_memory_mb": round(peak, 1),
        "device": device.type,
        "hardware": _hardware(device),
        "versions": _versions(),
    }


@cache
def _hardware(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


@cache
def _versions() -> dict[str, str]:
    packages = ("torch", "torchvision", "torch-pruning", "numpy", "scipy", "watermark-bench")
    found = {package: version(package) or "not installed" for package in packages}
    return {"python": platform.python_version(), **found}
