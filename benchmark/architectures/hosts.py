"""Nets that other libraries or the user build, as the benchmark's own: images in [0, 1], their normalisation inside.

torchvision's and timm's are made by name and never with weights that have to be fetched; a function of the user's own
is registered under the name that says its code, see `register_function`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

from torch import Tensor, nn

from benchmark.architectures.blocks import BUILDERS, Normalise, Spec, builder

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # where a library says nothing
LARGEST_SIDE = 1024  # pixels a side: memory may grow with the square or the fourth power of what a file says
MOST_LOGITS = 1 << 16
_SIZES = ("image_size", "img_size")  # what nets of one size call it: torchvision, timm


class LibraryNet(nn.Module):
    """A library's net behind the normalisation that it was trained with. Grey images fill its three channels.

    Takes images (N, 1 or 3, size, size) in [0, 1], answers with logits (N, classes). `net` has the library's own names.
    """

    def __init__(self, net: nn.Module, spec: Spec, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self._spec = spec
        self.normalise = Normalise(mean, std)
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        return cast(Tensor, self.net(self.normalise(x)))

    def spec(self) -> Spec:
        return {**self._spec, **self.normalise.spec()}


class OwnNet(nn.Module):
    """A net of a user's function, which takes images in [0, 1] as they are. `net` has the names of its maker."""

    def __init__(self, net: nn.Module, spec: Spec) -> None:
        super().__init__()
        self._spec = spec
        self.net = net

    def forward(self, x: Tensor) -> Any:
        return self.net(x)

    def spec(self) -> Spec:
        return self._spec


def maker_net(model: nn.Module) -> nn.Module:
    """The net whose tensors have the names that its maker gave them: a house net is its own."""
    return model.net if isinstance(model, LibraryNet | OwnNet) else model


def torchvision_names() -> list[str]:
    """The classifiers of torchvision."""
    import torchvision

    return list(torchvision.models.list_models(torchvision.models))


def timm_names() -> list[str]:
    """The nets of timm. Raises ImportError where it is not installed."""
    import timm

    return list(timm.list_models())


@builder("torchvision")
def torchvision_net(
    name: str, classes: int, size: int, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> LibraryNet:
    """torchvision's net of that name, for images of size x size. Raises ValueError for a name that it doesn't know."""
    import torchvision

    if name not in torchvision_names():
        raise ValueError(f"torchvision has no net {name!r}")
    net = _sized(torchvision.models.get_model, name, classes, size, weights=None)
    if mean is None or std is None:
        mean, std = IMAGENET
        with suppress(AttributeError, ValueError):
            shown = torchvision.models.get_model_weights(name).DEFAULT.transforms()
            mean, std = shown.mean, shown.std
    return LibraryNet(net, {"builder": "torchvision", "name": name, "classes": classes, "size": size}, mean, std)


@builder("timm")
def timm_net(
    name: str, classes: int, size: int, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> LibraryNet:
    """timm's net of that name, for images of size x size. Raises ValueError for a name that it doesn't know."""
    import timm

    if name not in timm_names():  # other names may be addresses to fetch from
        raise ValueError(f"timm has no net {name!r}")
    net = _sized(timm.create_model, name, classes, size, pretrained=False)
    if mean is None or std is None:
        shown = getattr(net, "pretrained_cfg", {})
        mean, std = (shown.get(one) or usual for one, usual in zip(("mean", "std"), IMAGENET, strict=True))
    return LibraryNet(net, {"builder": "timm", "name": name, "classes": classes, "size": size}, mean, std)


def _sized(make: Callable[..., nn.Module], name: str, classes: int, size: int, **how: Any) -> nn.Module:
    """The net for images of that size: most take any, and refuse to be told.

    Raises ValueError for numbers that would take all memory before the net's tensors are counted, see `net.Net.module`.
    """
    for what, number, most in (("pixels a side", size, LARGEST_SIDE), ("classes", classes, MOST_LOGITS)):
        if type(number) is not int or not 1 <= number <= most:
            raise ValueError(f"a library's net is built for 1 to {most} {what}, a whole number, not {number!r:.40}")
    with warnings.catch_warnings(action="ignore"):
        for word in _SIZES:
            with suppress(TypeError):
                return make(name, num_classes=classes, **how, **{word: size})
        return make(name, num_classes=classes, **how)


def register_function(name: str, function: Callable[..., nn.Module]) -> None:
    """Let nets of the builder `name` be made by a user's function.

    It is called with the number of classes; one under `@builder` with what house nets are given, classes, mean and std.
    """
    own = function in BUILDERS.values()

    def make(classes: int, mean: Sequence[float], std: Sequence[float]) -> nn.Module:
        if own:
            return function(classes=classes, mean=mean, std=std)
        net = function(classes)
        if not isinstance(net, nn.Module):
            raise TypeError(f"it returns a {type(net).__name__}, not a torch.nn.Module")
        return OwnNet(net, {"builder": name, "classes": classes, "mean": list(mean), "std": list(std)})

    BUILDERS[name] = make
