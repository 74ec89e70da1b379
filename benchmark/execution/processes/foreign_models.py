"""Models of other makers: ONNX, TorchScript and exported programs, or a function; opened in the suspect's process.

They are given images and answer with scores or labels. Nobody here knows how they are built, so nobody reads weights.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.protocol.graph import Operator
from benchmark.vocabulary import Access

FORMS: Mapping[str, str] = {".onnx": "onnx", ".pt2": "exported program", ".pt": "TorchScript"}  # by the file's ending
FUNCTION = "function"
# of a class that is only named: a runner-up so close behind it that the lead counts as unclear, since nobody knows it
SECOND = 1 - 2**-16


def scores_of_labels(labels: Tensor, classes: int) -> Tensor:
    """Scores, float32 (N, classes + 1), whose largest are at `labels` (N,); the last column is any other class."""
    columns = torch.where((labels >= 0) & (labels < classes), labels.long(), classes)
    scores = torch.zeros(len(labels), classes + 1)
    scores[torch.arange(len(labels)), (columns + 1) % (classes + 1)] = SECOND
    scores[torch.arange(len(labels)), columns] = 1.0
    return scores


def labels_alone(scores: Tensor) -> bool:
    """Whether scores (N, classes) tell no more than labels."""
    if scores.dim() != 2 or scores.shape[1] < 2:
        return False
    first, second = scores.topk(2, 1).values.unbind(1)
    return bool((first == 1).all()) and bool((second == SECOND).all())


@dataclass(frozen=True)
class ForeignModel:
    """A model that answers images (N, C, H, W) as `call` does, which gets float32 on the CPU.

    size: of the images that it takes, (C, H, W), None or a dimension of None for any. at_once: how many it takes, where
    that is fixed. classes: of the task.
    """

    call: Callable[[Tensor], Any]
    classes: int
    size: tuple[int | None, ...] | None = None
    at_once: int | None = None

    @torch.no_grad()
    def ask(self, x: Tensor, access: Access) -> Tensor:
        """Raw answers, float (N, ...); of a model that answers with labels, see `scores_of_labels`."""
        size = self.size or (None,) * 3
        if len(size) != 3 or any(want not in (None, has) for want, has in zip(size, x.shape[1:], strict=True)):
            wanted = "x".join("any" if want is None else str(want) for want in size)
            shape = "x".join(map(str, x.shape[1:]))
            raise ValueError(f"it takes images of {wanted}, and is asked images of {shape}: resize them in a function")
        parts = [self._answer(part) for part in x.float().cpu().split(self.at_once or len(x))]
        answer = torch.cat(parts)
        return answer.argmax(1) if access == "labels" else answer

    def _answer(self, x: Tensor) -> Tensor:
        asked, missing = len(x), (self.at_once or len(x)) - len(x)
        answer = self.call(torch.cat([x, x[-1:].expand(missing, -1, -1, -1)]) if missing else x)
        if not isinstance(answer, Tensor):
            if not isinstance(answer, np.ndarray):
                kind = type(answer).__name__
                count = f" of {len(answer)}" if isinstance(answer, (tuple, list, dict)) else ""
                raise ValueError(
                    f"it answers with a {kind}{count}, not with one array: give a function that returns the scores"
                )
            answer = torch.from_numpy(answer)
        answer = answer.detach().cpu()[:asked]
        if answer.dim() == 1 and not answer.is_floating_point() and not answer.is_complex():
            return scores_of_labels(answer, self.classes)
        if answer.dim() == 2 and answer.shape[1] < 2:
            raise ValueError("it answers with one number an image, which names no class")
        answer = answer.float()
        return answer.clamp(min=torch.finfo(answer.dtype).min) if answer.dim() == 2 else answer

    def graph(self, shape: Sequence[int]) -> list[Operator]:
        """Raises ValueError."""
        raise ValueError("it is a model of another maker, whose layers nobody here can read")


def foreign_model(form: str, where: str, folder: str, classes: int, device: torch.device) -> ForeignModel:
    """Open the model at `where`, a path, or `module:function` beside what lies in `folder`.

    A function is given float32 numpy arrays. Raises whatever the model's library raises.
    """
    if form == FUNCTION:
        return _function(where, folder, classes)
    if form == "onnx":
        return _onnx(where, classes)
    return _exported(where, classes) if form == "exported program" else _script(where, classes, device)


def _function(where: str, folder: str, classes: int) -> ForeignModel:
    module, _, name = where.partition(":")
    sys.path.insert(0, folder)
    call = getattr(importlib.import_module(module), name)
    return ForeignModel(lambda x: call(x.numpy()), classes)


def _onnx(where: str, classes: int) -> ForeignModel:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(where, options, providers=["CPUExecutionProvider"])
    (given, *more) = session.get_inputs()
    if more:
        raise ValueError(f"it takes {1 + len(more)} inputs, not images alone")
    dtypes = {"tensor(float16)": np.float16, "tensor(float)": np.float32, "tensor(double)": np.float64}
    if (dtype := dtypes.get(given.type)) is None:
        raise ValueError(f"it takes images as {given.type}, not as numbers with a fraction: wrap it in a function")

    def call(x: Tensor) -> Any:
        answers = session.run(None, {given.name: x.numpy().astype(dtype)})
        return answers[0] if len(answers) == 1 else tuple(answers)

    first, *size = [one if isinstance(one, int) else None for one in given.shape]
    return ForeignModel(call, classes, tuple(size), first)


def _script(where: str, classes: int, device: torch.device) -> ForeignModel:
    model = torch.jit.load(where, map_location=device).eval()
    asked = _in_its_own_form(model, model.state_dict())

    def call(x: Tensor) -> Any:
        try:
            return asked(x)
        except RuntimeError as error:  # a whole traceback, whose last line says what went wrong
            raise ValueError(str(error).strip().splitlines()[-1]) from error

    return ForeignModel(call, classes)


def _exported(where: str, classes: int) -> ForeignModel:
    program = torch.export.load(where)
    (given, *more) = program.graph_signature.user_inputs
    if more:
        raise ValueError(f"it takes {1 + len(more)} inputs, not images alone")
    shape = next(node.meta["val"].shape for node in program.graph.nodes if node.name == given)
    first, *size = [one if isinstance(one, int) else None for one in shape]
    return ForeignModel(_in_its_own_form(program.module(), program.state_dict), classes, tuple(size), first)


def _in_its_own_form(model: Callable[[Tensor], Any], state: Mapping[str, Tensor]) -> Callable[[Tensor], Any]:
    """`model`, given its images on the device and in the precision of its weights."""
    weight = next((one for one in state.values() if one.is_floating_point()), torch.zeros(()))
    return lambda x: model(x.to(weight.device, weight.dtype))
