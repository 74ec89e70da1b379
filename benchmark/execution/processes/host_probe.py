"""What is looked at in a host, in the process that `host_check` starts for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchmark.architectures.blocks import channels_last
from benchmark.architectures.catalogue import read_architecture
from benchmark.architectures.hosts import timm_names, torchvision_names
from benchmark.architectures.net import Net, build
from benchmark.architectures.weights import put_weights
from benchmark.description import did_you_mean
from benchmark.errors import BenchError
from benchmark.execution.job_context import context_of, load_source
from benchmark.planning.clocks.probe import probe
from benchmark.planning.job import PluginSource
from benchmark.protocol.parties import TaskContext
from benchmark.training.device import device_of

_NAMES: Mapping[str, Callable[[], list[str]]] = {"torchvision": torchvision_names, "timm": timm_names}
_FUNCTION = "its function is called with the number of classes, build(classes)"


def look(
    world: Mapping[str, Any], weights: str, source: PluginSource | None, name: str, timed_on: str | None
) -> dict[str, Any]:
    """The fields of `HostFacts`. Raises BenchError in one sentence."""
    if source is not None:
        load_source(source)
    _check_name(name)
    context = context_of(world, device_of("cpu"), weights=weights)
    model = _built(context, name)
    new: list[str] = []
    if context.weights is not None:
        new = put_weights(model, context.weights(), context.task.classes)
    _check_answers(model, context, name)
    try:
        Net.of(model).module()
    except (TypeError, RuntimeError, ValueError) as error:
        raise _fault(name, f"it can't be built again from its tensors ({_short(error)})") from error
    rate = None if timed_on is None else probe(world, timed_on)
    return {"parameters": sum(one.numel() for one in model.parameters()), "new_head": new, "rate": rate}


def _check_name(name: str) -> None:
    library, _, net = name.partition(":")
    if library not in _NAMES:
        return
    try:
        known = _NAMES[library]()
    except ImportError as error:
        raise BenchError(f"--host {name} needs {library}: pip install 'watermark-bench[{library}]'") from error
    if net not in known:
        some = f"its names are listed by {library}'s list_models()"
        hint = did_you_mean(net, known, "")
        raise BenchError(f"{library} has no net {net!r}: {hint if hint.startswith('did') else some}")


def _built(context: TaskContext, name: str) -> nn.Module:
    shape, classes = "x".join(map(str, context.task.shape)), context.task.classes
    try:
        model = build(context.spec())
    except Exception as error:  # whatever somebody else's constructor raises
        hint = _FUNCTION if read_architecture(name)[0].partition(":")[0] == "file" else "give --data FOLDER:SIZE"
        why = f"it can't be built for {classes} classes and images of {shape} ({_short(error)}): {hint}"
        raise _fault(name, why) from error
    odd = {one.dtype for one in model.state_dict().values() if one.is_floating_point()} - {torch.float32}
    if odd:
        raise _fault(name, f"its tensors are {str(odd.pop()).removeprefix('torch.')}: return a net in float32")
    if not any(one.requires_grad for one in model.parameters()):
        raise _fault(name, "it has no parameter to learn: return a net that can be trained")
    return model


def _check_answers(model: nn.Module, context: TaskContext, name: str) -> None:
    """One step of training, and answers as a court asks for them."""
    images = torch.rand(4, *context.task.shape, generator=torch.Generator().manual_seed(0))
    kept = {key: one.clone() for key, one in model.state_dict().items()}
    answers = _answers(model.train(), images, context, name)
    answers.logsumexp(1).sum().backward()
    model.zero_grad()
    model.load_state_dict(kept)  # without the running statistics of noise
    with torch.no_grad():
        _answers(model.eval(), channels_last(images), context, name)


def _answers(model: nn.Module, images: Tensor, context: TaskContext, name: str) -> Tensor:
    classes, shape = context.task.classes, "x".join(map(str, context.task.shape))
    try:
        found = model(images)
    except Exception as error:
        why = f"it can't take images of {shape} ({_short(error)}): give --data FOLDER:SIZE, or another net"
        raise _fault(name, why) from error
    if not isinstance(found, Tensor):
        count = f" of {len(found)}" if isinstance(found, tuple | list | dict) else ""
        why = f"it answers with a {type(found).__name__}{count}: let it return one tensor, the logits (N, classes)"
        raise _fault(name, why)
    if found.shape != (len(images), classes):
        seen = tuple(found.shape)
        raise _fault(name, f"it answers {len(images)} images with the shape {seen}, and the task has {classes} classes")
    if found.dtype != torch.float32:
        raise _fault(name, f"it answers in {str(found.dtype).removeprefix('torch.')}: let it answer in float32")
    if not bool(torch.isfinite(found).all()):
        raise _fault(name, "it answers with NaN or infinity: mend the net or its weights")
    if not found.requires_grad and torch.is_grad_enabled():
        raise _fault(name, "its answers have no gradient, so it can't be trained: leave out torch.no_grad and detach")
    return found


def _fault(name: str, why: str) -> BenchError:
    return BenchError(f"--host {name}: {why}")


def _short(error: object) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
