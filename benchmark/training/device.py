"""The device on which everybody computes, with one arithmetic for workers, `embed`, `verify` and `replay`."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.errors import BenchError

_PIXELS = 1 << 20  # of a batch that is only answered on a GPU: 1,024 images of 32 x 32


def device_of(wanted: str) -> torch.device:
    """The device called `wanted`: "cpu", "cuda", "cuda:N", or "auto", which is the GPU where there is one.

    From here on this process computes with one thread on the CPU, so that a sum has one order, rounds no convolution to
    TF32 on a GPU, and takes the GPU that has a number for its only one. Raises BenchError where a GPU is asked for and
    torch sees none, or none of this number.
    """
    torch.set_num_threads(1)
    torch.backends.cudnn.allow_tf32 = False
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise BenchError(
            f"--device {wanted} was asked for and torch sees no GPU: use --device auto, or see bench doctor"
        )
    device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if wanted == "auto" else wanted)
    if device.index is not None:
        if device.index >= (seen := torch.cuda.device_count()):
            raise BenchError(f"--device {wanted} was asked for and torch sees {seen} GPUs, counted from cuda:0")
        torch.cuda.set_device(device)
    return device


def answered_at_once(x: Tensor, on_cpu: int) -> int:
    """How many of the images (N, C, H, W) a net answers at once: `on_cpu`, or as many more as a GPU has work for.

    On a CPU the number never changes, since the last digits of an answer follow from the size of its batch.
    """
    return on_cpu if x.device.type == "cpu" else max(on_cpu, _PIXELS // (x.shape[2] * x.shape[3]))
