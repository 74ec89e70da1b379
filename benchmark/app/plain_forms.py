"""A model as files that need no watermark-bench: its tensors by its maker's names, and programs that run it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from benchmark.architectures.hosts import maker_net
from benchmark.files import write_whole

TENSORS, PROGRAM, ONNX = "state_dict.safetensors", "model.pt2", "model.onnx"


def write_plain_forms(out: Path, net: nn.Module, shape: tuple[int, ...], *, onnx: bool) -> dict[str, str]:
    """Write `net`, on the CPU, which takes images (N, C, H, W) of `shape` in [0, 1]: a state_dict, and programs.

    The state_dict has the names of the library that the net is from. onnx: whether there is to be an ONNX file, too.
    Returns, by the file that isn't there, why the net can't be exported so. Raises OSError.
    """
    state = {name: tensor.contiguous().clone() for name, tensor in maker_net(net).state_dict().items()}
    write_whole(out / TENSORS, save(state))
    images, missing = torch.zeros(2, *shape), dict[str, str]()
    batch = ({0: torch.export.Dim("images")},)

    @cache
    def traced() -> torch.export.ExportedProgram:
        return torch.export.export(net.eval(), (images,), dynamic_shapes=batch)

    def program() -> bytes:
        file = io.BytesIO()
        torch.export.save(traced(), file)
        return file.getvalue()

    def onnx_model() -> bytes:
        # what can't be traced so, torch's ONNX exporter tries to trace in other ways
        model = net.eval() if PROGRAM in missing else traced()
        found = torch.onnx.export(model, (images,), dynamo=True, dynamic_shapes=batch, verbose=False)
        assert found is not None
        return bytes(found.model_proto.SerializeToString())

    forms: dict[str, Callable[[], bytes]] = {PROGRAM: program}
    if onnx and find_spec("onnxscript") is None:
        missing[ONNX] = "pip install 'watermark-bench[onnx]'"
    elif onnx:
        forms[ONNX] = onnx_model
    for name, made in forms.items():
        try:
            with warnings.catch_warnings(action="ignore"):
                data = made()
        except Exception as error:  # whatever a net of somebody else's does while it is traced
            missing[name] = " ".join(f"{type(error).__name__}: {error}".split())[:120]
        else:
            write_whole(out / name, data)
    return missing
