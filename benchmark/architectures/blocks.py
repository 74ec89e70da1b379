"""What architectures are made of: builders by name, normalisation, and the ConvBlock.

A module's `spec()` is read off its layers, so a structurally pruned net describes itself; `net.build` makes it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, TypedDict, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.errors import NotApplicable

Spec = Mapping[str, Any]
BUILDERS: dict[str, Callable[..., nn.Module]] = {}  # what `builder` registered in this process


class ClassifierTask(TypedDict):
    """What the spec of every classifier holds: classes, and mean and standard deviation of each colour."""

    classes: int
    mean: Sequence[float]
    std: Sequence[float]


def builder(name: str) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Register a module class or function under `name`; a spec `{"builder": name, ...}` calls it with the rest.

    Raises ValueError when another builder already has that name.
    """

    def register(make: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        other = BUILDERS.setdefault(name, make)
        if (other.__module__, other.__qualname__) != (make.__module__, make.__qualname__):
            raise ValueError(f"two builders are called {name!r}: {other.__module__} and {make.__module__}")
        BUILDERS[name] = make
        return make

    return register


class Normalise(nn.Module):
    """The first layer of every net: raw pixels in [0, 1] to zero mean and unit variance."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std

    def spec(self) -> dict[str, list[float]]:
        return {"mean": self.mean.flatten().tolist(), "std": self.std.flatten().tolist()}


FUSED = "fused"  # normalisation that is part of the convolution
GROUP = 16  # channels that group normalisation takes together (DeepIPR: C_out // 16 groups)
Norm = str | int  # "batch", "group", a number of groups, or FUSED
Norms = str | Sequence[Norm]  # one for all blocks of a net, or one for each


def default_groups(channels: int) -> int:
    """The largest number of groups that divides `channels` with at least 16 in each; 1 for fewer channels."""
    return next(n for n in range(max(1, channels // GROUP), 0, -1) if channels % n == 0)


def normalisation(norm: Norm, channels: int, *, affine: bool = True) -> nn.BatchNorm2d | nn.GroupNorm:
    """Batch normalisation, or group normalisation, which keeps no running statistics. Raises ValueError."""
    if norm == "batch":
        return nn.BatchNorm2d(channels, affine=affine)
    if isinstance(norm, str) and norm != "group":
        raise ValueError(f"norm is batch or group, not {norm!r}")
    return nn.GroupNorm(norm if isinstance(norm, int) else default_groups(channels), channels, affine=affine)


def norms_of(norms: Norms, count: int) -> list[Norm]:
    """One norm for each of `count` blocks."""
    return [norms] * count if isinstance(norms, str) else list(norms)


class ConvBlock(nn.Module):
    """Bias-free 3x3 convolution, batch or group normalisation, ReLU. `norm` has `weight` and `bias` in both."""

    def __init__(
        self, inputs: int, outputs: int, *, stride: int = 1, kernel: int = 3, relu: bool = True, norm: Norm = "batch"
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = normalisation(norm, outputs)
        self.relu = relu

    def affine(self, normalised: Tensor) -> Tensor:
        """Hook for a block whose scale and shift are not the norm's own."""
        return normalised

    def forward(self, x: Tensor) -> Tensor:
        y = self.affine(self.norm(self.conv(x)))
        return F.relu(y) if self.relu else y


class FusedBlock(nn.Module):
    """A ConvBlock whose batch normalisation is fused into its convolution, as exports do: a bias is left."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, kernel: int = 3, relu: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return F.relu(y) if self.relu else y


def conv_block(
    inputs: int, outputs: int, *, stride: int = 1, kernel: int = 3, relu: bool = True, norm: Norm = "batch"
) -> ConvBlock | FusedBlock:
    """A block with the normalisation that a spec names for it."""
    if norm == FUSED:
        return FusedBlock(inputs, outputs, stride=stride, kernel=kernel, relu=relu)
    return ConvBlock(inputs, outputs, stride=stride, kernel=kernel, relu=relu, norm=norm)


def conv_blocks(model: nn.Module) -> Iterator[tuple[str, ConvBlock]]:
    """Every ConvBlock of `model` with its dotted name, from the input to the output."""
    return ((name, module) for name, module in model.named_modules() if isinstance(module, ConvBlock))


def filter_layers(model: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """The layers whose rows of weights are a net's filters, by their dotted names, from the input to the output.

    Its convolutions; of a net with one convolution at most, as a transformer has to embed patches, its linear layers
    but the last.
    """
    convolutions = {name: one for name, one in model.named_modules() if isinstance(one, nn.Conv2d)}
    if len(convolutions) > 1:
        return {**convolutions}
    linear = {name: one for name, one in model.named_modules() if isinstance(one, nn.Linear)}
    return {**dict(list(linear.items())[:-1])} or {**convolutions}


def channels_last(x: Tensor) -> Tensor:
    """Images (N, C, H, W) whose channels lie last in memory, as convolutions and poolings are fastest on every device.

    Grey images lie so already, but torch takes their strides for channels first, and every layer behind them follows.
    """
    channels, height, width = x.shape[1:]
    if channels == 1:
        return x.contiguous().as_strided(x.shape, (height * width, 1, width, 1))
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def entering(model: nn.Module, names: Sequence[str], x: Tensor) -> list[Tensor]:
    """What enters the named modules of `model`, in eval mode, for images (N, C, H, W) in [0, 1], in one batch.

    Laid out one way wherever it was computed: how a convolution lays its output depends on the processor, and keys keep
    what they find here.
    """
    found: dict[str, Tensor] = {}

    def keep(name: str, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found[name] = inputs[0]

    with ExitStack() as hooks:
        for name in names:
            hooks.enter_context(model.get_submodule(name).register_forward_pre_hook(partial(keep, name)))
        model.eval()(channels_last(x))
    return [found[name].contiguous() for name in names]


def described_norms(model: nn.Module) -> Norms:
    """The `norm` argument that rebuilds the blocks of `model`, also after pruning has changed its groups.

    Empty for a net without blocks.
    """
    norms: list[Norm] = []
    for block in model.modules():
        if isinstance(block, FusedBlock):
            norms.append(FUSED)
        elif not isinstance(block, ConvBlock):
            continue
        elif isinstance(block.norm, nn.BatchNorm2d):
            norms.append("batch")
        else:
            groups, channels = block.norm.num_groups, block.norm.num_channels
            norms.append("group" if groups == default_groups(channels) else groups)
    return norms[0] if len(set(norms)) == 1 and isinstance(norms[0], str) else norms


class Classifier(nn.Module):
    """A net of convolutions and a linear head, from images (N, C, H, W) in [0, 1] to logits (N, classes)."""

    head: nn.Linear

    def __init__(self, name: str, task: ClassifierTask) -> None:
        super().__init__()
        self.name = name
        self.normalise = Normalise(task["mean"], task["std"])

    def arguments(self) -> Spec:
        """Arguments of its builder beside the widths and the normalisation."""
        return {}

    def spec(self) -> Spec:
        return {
            "builder": self.name,
            "classes": self.head.out_features,
            "widths": [layer.out_channels for layer in self.modules() if isinstance(layer, nn.Conv2d)],
            **({"norm": norms} if (norms := described_norms(self)) else {}),
            **self.arguments(),
            **self.normalise.spec(),
        }


def head(model: nn.Module) -> nn.Linear:
    """The last linear layer: what "last layer" means in FTLL and RTLL (Adi et al. 2018, section 6).

    Raises NotApplicable where the net has none.
    """
    linear = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise NotApplicable("the net has no linear layer, so none that is its last")
    return linear[-1]


def head_name(model: nn.Module) -> str:
    """The dotted name of `head`. Raises NotApplicable as it does."""
    last = head(model)
    return next(name for name, module in model.named_modules() if module is last)


def plain(model: nn.Module) -> nn.Module:
    """An ordinary network that computes the same, where `model` derives its parameters; else `model` itself."""
    fold = getattr(model, "folded", None)
    return cast(nn.Module, fold()) if callable(fold) else model
