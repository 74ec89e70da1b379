"""Weights that somebody brings for a net: read from a file in which no code is run, and put into a net of that form.

Names may be nested in a checkpoint (`state_dict`, `model`) and carry the prefixes that wrappers leave; a head of
another width is left out, since it answers another task.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from io import BufferedReader
from itertools import takewhile
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from benchmark.architectures.hosts import maker_net
from benchmark.errors import BenchError, message_of
from benchmark.files import MOST_TENSORS, content, regular, tensor_header

ENDINGS = (".safetensors", ".pt", ".pth", ".bin")
_NESTED = ("state_dict", "model_state_dict", "model", "module", "net")  # what checkpoints call the tensors of the net
_PREFIXES = ("module.", "_orig_mod.", "model.")  # DataParallel, torch.compile, Lightning
_MOST_PICKLE = 4 << 20  # bytes that name and describe tensors, each of which may make an object of a hundred
_COUNTERS = ("num_batches_tracked", "n_averaged")  # that nothing is computed from


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in a file by name, on the CPU, floating ones as float32.

    Raises BenchError in one sentence: no such file, a pickle with code in it, another content, no dense numbers, NaN.
    """
    if path.suffix.lower() not in ENDINGS:
        raise BenchError(f"--weights {path} is no file of weights: give one that ends in {', '.join(ENDINGS)}")
    if not path.is_file():
        raise BenchError(f"--weights {path} is missing: give the path of a file")
    read = _safetensors if path.suffix.lower() == ".safetensors" else _pickled
    found = _plain_names(_dense(_tensors(read(path), path), path))
    if not found:
        raise BenchError(f"--weights {path} holds no weights: save model.state_dict() of the net itself")
    broken = [name for name, tensor in found.items() if not bool(torch.isfinite(tensor).all())]
    if broken:
        raise BenchError(f"--weights {path} holds NaN or infinity in {_few(broken)}: save the weights anew")
    return found


def _safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        data = content(path, MOST_TENSORS)
        tensor_header(data)
        return safetensors.torch.load(data)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise BenchError(
            f"--weights {path} can't be read as safetensors ({message_of(error, 160)}): save it anew"
        ) from error


def _pickled(path: Path) -> object:
    """Only tensors and plain containers are unpickled: whatever else a file names is refused, and not run."""
    with warnings.catch_warnings(action="ignore"):
        try:
            with _Sparing(regular(path).detach()) as file:
                if os.fstat(file.fileno()).st_size > MOST_TENSORS:
                    raise ValueError(f"it is larger than {MOST_TENSORS >> 30} GiB")
                if file.peek(4).startswith(b"PK\x03\x04"):
                    _refuse_packed(file)
                    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
                return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file may fail in any way
            mend = "save model.state_dict() alone, best with safetensors"
            why = "it holds more than tensors, and code in it is not run" if "Weights only" in str(error) else ""
            reason = why or getattr(error, "strerror", None) or message_of(error, 160)
            raise BenchError(f"--weights {path} can't be read ({reason}): {mend}") from error


class _Sparing(BufferedReader):
    """A file of which no more is read piece by piece than describes tensors; torch reads theirs past this, at once."""

    _left = _MOST_PICKLE

    def read(self, size: int | None = -1, /) -> bytes:
        return self._counted(super().read(self._most(size)))

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._counted(super().readline(self._most(size)))

    def _most(self, size: int | None) -> int:
        one_more = self._left + 1
        return one_more if size is None or size < 0 else min(size, one_more)

    def _counted(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"more than {_MOST_PICKLE >> 20} MiB of it are no tensors")
        return data


def _refuse_packed(file: _Sparing) -> None:
    """Raise ValueError where a file of torch would be larger in memory: torch itself compresses nothing."""
    with zipfile.ZipFile(file) as packed:
        for one in packed.infolist():
            if one.compress_type != zipfile.ZIP_STORED:
                raise ValueError("it is compressed")
            if "/data/" not in one.filename and one.file_size > _MOST_PICKLE:
                raise ValueError(f"more than {_MOST_PICKLE >> 20} MiB of it are no tensors")


def _tensors(found: object, path: Path) -> Mapping[str, Tensor]:
    """The table of tensors in what a file holds."""
    for _ in range(len(_NESTED)):  # a container may hold itself
        if not isinstance(found, Mapping):
            break
        if found and all(isinstance(one, Tensor) for one in found.values()):
            return found
        inner = next((found[name] for name in _NESTED if isinstance(found.get(name), Mapping)), None)
        if inner is None:
            break
        found = inner
    raise BenchError(f"--weights {path} holds no state_dict: save model.state_dict(), not the model itself")


def _dense(found: Mapping[str, Tensor], path: Path) -> Mapping[str, Tensor]:
    """The same. Raises BenchError for tensors whose numbers can't be read one by one."""
    odd = [
        str(name)
        for name, one in found.items()
        if one.layout != torch.strided or one.is_quantized or one.is_nested or one.is_meta
    ]
    if odd:
        raise BenchError(f"--weights {path} holds sparse, quantised or empty tensors ({_few(odd)}): save them dense")
    if sum(one.numel() * one.element_size() for one in found.values()) > MOST_TENSORS:  # a view may repeat one number
        raise BenchError(f"--weights {path} holds more than {MOST_TENSORS >> 30} GiB of numbers: save fewer")
    return found


def _plain_names(found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the prefix that all names have, in float32 where they are numbers of any precision."""
    named = {str(name): tensor for name, tensor in found.items() if name != "n_averaged"}
    while named and (prefix := next((one for one in _PREFIXES if all(name.startswith(one) for name in named)), None)):
        named = {name.removeprefix(prefix): tensor for name, tensor in named.items()}
    return {
        name: (tensor.float() if tensor.is_floating_point() else tensor).contiguous() for name, tensor in named.items()
    }


def head_names(net: nn.Module, classes: int) -> list[str]:
    """The names of the tensors of the head: the last layer that answers with `classes` numbers.

    Layers of its shape just before it are heads, too, as of distilled transformers.
    """
    layers = [(name, one) for name, one in net.named_modules() if isinstance(one, nn.Linear | nn.Conv2d)]
    while layers and len(layers[-1][1].weight) != classes:
        layers.pop()
    heads = list(takewhile(lambda one: one[1].weight.shape == layers[-1][1].weight.shape, reversed(layers)))
    return [f"{name}.{leaf}" for name, one in reversed(heads) for leaf in dict(one.named_parameters())]


@torch.no_grad()
def put_weights(model: nn.Module, weights: Mapping[str, Tensor], classes: int) -> list[str]:
    """Give a net, in place, the weights that `read_weights` read; returns the names of the head that stays as drawn.

    Empty where the weights have a head of the task's width. Raises BenchError, naming the first tensors that don't fit.
    """
    net = maker_net(model)
    own: dict[str, Any] = net.state_dict()
    head = head_names(net, classes)
    odd = [name for name in own if name in weights and weights[name].shape != own[name].shape]
    wider = [name for name in odd if weights[name].shape[1:] == own[name].shape[1:] and len(own[name]) == classes]
    missing = [name for name in own if name not in weights and not name.endswith(_COUNTERS)]
    new = [*wider, *(name for name in missing if name in head)]
    wrong = {
        "have another shape": [name for name in odd if name not in wider],
        "are missing": [name for name in missing if name not in head],
        "are not in the net": [name for name in weights if name not in own and name not in head],
    }
    for what, names in wrong.items():
        if names:
            raise BenchError(
                f"the weights are another net's: {_few(names)} {what}: name the net that they were saved from"
            )
    net.load_state_dict({name: weights[name] for name in own if name in weights and name not in new}, strict=False)
    return new


def _few(names: Sequence[str]) -> str:
    more = len(names) - 3
    return ", ".join(names[:3]) + (f" and {more} more" if more > 0 else "")
