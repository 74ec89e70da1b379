"""Architectures as plain modules that are rebuilt from a JSON spec and tensors: no stored file runs code.

Every architecture is made of `ConvBlock`s, so an attack on filters or normalisation scales is one loop over
`conv_blocks(model)`. A module's `spec()` is read off its layers, so a structurally pruned net describes itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Spec = Mapping[str, Any]


@runtime_checkable
class Specified(Protocol):
    """A module that can say how to rebuild itself."""

    def spec(self) -> Spec: ...


_BUILDERS: dict[str, Callable[..., nn.Module]] = {}


def builder(name: str) -> Callable[[Callable[..., nn.Module]], Callable[..., nn.Module]]:
    """Register a module class or function under `name`; a spec `{"builder": name, ...}` calls it with the rest.

    Raises ValueError when another builder already has that name.
    """

    def register(make: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
        known = _BUILDERS.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (make.__module__, make.__qualname__):
            raise ValueError(f"two builders are called {name!r}: {known.__module__} and {make.__module__}")
        _BUILDERS[name] = make
        return make

    return register


def known(spec: Spec) -> bool:
    """Whether the builder of `spec` is registered in this process."""
    return spec["builder"] in _BUILDERS


def build(spec: Spec) -> nn.Module:
    """The module that `spec` describes, freshly initialised. Raises ValueError for an unknown builder."""
    if spec["builder"] not in _BUILDERS:
        raise ValueError(f"no builder is called {spec['builder']!r}: known are {', '.join(sorted(_BUILDERS))}")
    return _BUILDERS[spec["builder"]](**{name: value for name, value in spec.items() if name != "builder"})


@dataclass(frozen=True)
class Net:
    """A network at rest: the spec of its builder and its tensors (contiguous, on the CPU)."""

    spec: Spec
    state: Mapping[str, Tensor]

    @classmethod
    def of(cls, module: nn.Module) -> Net:
        """Take `module` down. Raises TypeError when it has no `spec()`."""
        if not isinstance(module, Specified):
            raise TypeError(f"{type(module).__name__} has no spec(): build it with a function under @builder")
        state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in module.state_dict().items()}
        return cls(module.spec(), state)

    def module(self, device: torch.device | str = "cpu") -> nn.Module:
        """A new module in eval mode; each call gives its own copy."""
        module = build(self.spec)
        module.load_state_dict(dict(self.state))
        return module.to(device).eval()


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


GROUP = 16  # channels that group normalisation takes together (DeepIPR: C_out // 16 groups)
Norm = str | int  # "batch", "group", or a number of groups
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


def conv_blocks(model: nn.Module) -> Iterator[tuple[str, ConvBlock]]:
    """Every ConvBlock of `model` with its dotted name, from the input to the output."""
    return ((name, module) for name, module in model.named_modules() if isinstance(module, ConvBlock))


@torch.no_grad()
def entering(model: nn.Module, names: Sequence[str], x: Tensor) -> list[Tensor]:
    """What enters the named modules of `model`, in eval mode, for images (N, C, H, W) in [0, 1], in one batch."""
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            found[name] = inputs[0]

        return hook

    hooks = [model.get_submodule(name).register_forward_pre_hook(keep(name)) for name in names]
    try:
        model.eval()(x)
    finally:
        for one in hooks:
            one.remove()
    return [found[name] for name in names]


def described_norms(model: nn.Module) -> Norms:
    """The `norm` argument that rebuilds the blocks of `model`, also after pruning has changed its groups."""
    norms: list[Norm] = []
    for _, block in conv_blocks(model):
        if isinstance(block.norm, nn.BatchNorm2d):
            norms.append("batch")
        else:
            groups, channels = block.norm.num_groups, block.norm.num_channels
            norms.append("group" if groups == default_groups(channels) else groups)
    first = norms[0]
    return first if isinstance(first, str) and set(norms) == {first} else norms


def head(model: nn.Module) -> nn.Linear:
    """The last linear layer: what "last layer" means in FTLL and RTLL (Adi et al. 2018, section 6)."""
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def plain(model: nn.Module) -> nn.Module:
    """An ordinary network that computes the same, where `model` derives its parameters; else `model` itself."""
    fold = getattr(model, "folded", None)
    return cast(nn.Module, fold()) if callable(fold) else model


@builder("convnet")
class ConvNet(nn.Module):
    """Three ConvBlocks (default 16-32-64), max-pooling after the first two, a 2x2 pooled head.

    24 k parameters; a 16x16 input is enough. Input (N, C, H, W) in [0, 1], output logits (N, classes).
    """

    def __init__(
        self,
        classes: int,
        mean: Sequence[float],
        std: Sequence[float],
        widths: Sequence[int] = (16, 32, 64),
        norm: Norms = "batch",
    ) -> None:
        super().__init__()
        self.normalise = Normalise(mean, std)
        inputs, norms = [len(mean), *widths[:-1]], norms_of(norm, len(widths))
        self.blocks = nn.ModuleList(ConvBlock(i, o, norm=n) for i, o, n in zip(inputs, widths, norms, strict=True))
        self.head = nn.Linear(widths[-1] * 4, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.normalise(x)
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index < 2:
                x = F.max_pool2d(x, 2)
        return cast(Tensor, self.head(F.adaptive_avg_pool2d(x, 2).flatten(1)))

    def spec(self) -> Spec:
        widths = [block.conv.out_channels for _, block in conv_blocks(self)]
        return {
            "builder": "convnet",
            "classes": self.head.out_features,
            "widths": widths,
            "norm": described_norms(self),
            **self.normalise.spec(),
        }


class ResidualBlock(nn.Module):
    """Two ConvBlocks beside a 1x1 shortcut; `widths` are the channels after each of the two."""

    def __init__(self, inputs: int, widths: Sequence[int], stride: int, norms: Sequence[Norm]) -> None:
        super().__init__()
        middle, outputs = widths
        self.first = ConvBlock(inputs, middle, stride=stride, norm=norms[0])
        self.second = ConvBlock(middle, outputs, relu=False, norm=norms[1])
        self.shortcut = ConvBlock(inputs, outputs, stride=stride, kernel=1, relu=False, norm=norms[2])

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.first(x)) + self.shortcut(x))


@builder("resnet8")
class ResNet8(nn.Module):
    """A stem and three residual blocks (He et al. 2016, the CIFAR form with n = 1), 20 k parameters at width 8.

    Input (N, C, H, W) in [0, 1], output logits (N, classes).
    """

    def __init__(
        self,
        classes: int,
        mean: Sequence[float],
        std: Sequence[float],
        stem: int = 8,
        widths: Sequence[Sequence[int]] = ((8, 8), (16, 16), (32, 32)),
        norm: Norms = "batch",
    ) -> None:
        super().__init__()
        self.normalise = Normalise(mean, std)
        norms = norms_of(norm, 1 + 3 * len(widths))
        self.stem = ConvBlock(len(mean), stem, norm=norms[0])
        inputs = [stem, *(pair[1] for pair in widths[:-1])]
        self.blocks = nn.ModuleList(
            ResidualBlock(i, pair, 1 if index == 0 else 2, norms[1 + 3 * index :][:3])
            for index, (i, pair) in enumerate(zip(inputs, widths, strict=True))
        )
        self.head = nn.Linear(widths[-1][1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(self.normalise(x))
        for block in self.blocks:
            x = block(x)
        return cast(Tensor, self.head(x.mean((2, 3))))

    def spec(self) -> Spec:
        blocks = [cast(ResidualBlock, block) for block in self.blocks]
        return {
            "builder": "resnet8",
            "classes": self.head.out_features,
            "stem": self.stem.conv.out_channels,
            "widths": [[b.first.conv.out_channels, b.second.conv.out_channels] for b in blocks],
            "norm": described_norms(self),
            **self.normalise.spec(),
        }
