"""A model as files that need no watermark-bench: its tensors by name, and an exported program."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from benchmark.files import write_whole

TENSORS, PROGRAM = "state_dict.safetensors", "model.pt2"


def write_plain_forms(out: Path, net: nn.Module, shape: tuple[int, ...]) -> str | None:
    """Write `net`, on the CPU, which takes images (N, C, H, W) of `shape` in [0, 1]: a state_dict, and a program.

    Returns why there is no program, where the net can't be exported. Raises OSError.
    """
    state = {name: tensor.contiguous().clone() for name, tensor in net.state_dict().items()}
    write_whole(out / TENSORS, save(state))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            images = torch.zeros(2, *shape)
            program = torch.export.export(net.eval(), (images,), dynamic_shapes=({0: torch.export.Dim("images")},))
            file = io.BytesIO()
            torch.export.save(program, file)
    except Exception as error:  # whatever a net of a plug-in does while it is traced
        return " ".join(f"{type(error).__name__}: {error}".split())[:120]
    write_whole(out / PROGRAM, file.getvalue())
    return None
