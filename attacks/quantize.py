"""Quantisation: the stolen net at a lower precision."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from benchmark import contract as wm

WEIGHTED = nn.Conv2d | nn.Linear
CALIBRATION = 512  # images, of which the ranges of activations are taken; mobile runtimes ask for a few hundred


class RoundedInput(nn.Module):
    """A layer whose input is rounded to 256 levels that include 0: `zero` (an integer) stands for it, `step` apart."""

    step: Tensor
    zero: Tensor

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        device = next(layer.parameters()).device
        self.register_buffer("step", torch.ones((), device=device))
        self.register_buffer("zero", torch.zeros((), device=device))

    def calibrate(self, seen: Tensor) -> None:
        """Take the range of the inputs `seen`."""
        low, high = seen.min().clamp(max=0), seen.max().clamp(min=0)
        step = (high - low) / 255
        self.step.copy_(step.where(step > 0, 1))  # a layer that sees zeros alone
        self.zero.copy_((-low / self.step).round())

    def forward(self, x: Tensor) -> Tensor:
        whole = ((x / self.step).round() + self.zero).clamp(0, 255)
        return cast(Tensor, self.layer((whole - self.zero) * self.step))


@wm.builder("quantised")
class QuantisedNet(nn.Module):
    """The net of the spec `host`, each of whose convolutions and linear layers takes an 8-bit input.

    Input and output are those of the host, in floats that stand for an integer engine's integers.
    """

    def __init__(self, host: wm.Spec) -> None:
        super().__init__()
        self.host = _rounding(wm.build(host))

    @classmethod
    def of(cls, model: nn.Module, images: Tensor) -> QuantisedNet:
        """Made of the layers of `model`, with the ranges that images (N, C, H, W) in [0, 1] span in it."""
        net, names = cls(model.spec()), _layers(model)  # type: ignore[operator]
        seen = wm.entering(model, names, images)
        net.host = _rounding(model)
        for name, entered in zip(names, seen, strict=True):
            cast(RoundedInput, model.get_submodule(name)).calibrate(entered)
        return net

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.host(x))

    def spec(self) -> wm.Spec:
        return {"builder": "quantised", "host": self.folded().spec()}  # type: ignore[operator]

    def folded(self) -> nn.Module:
        """The plain host, whose activations are not rounded."""
        net = copy.deepcopy(self.host)
        for name, module in list(net.named_modules()):
            if isinstance(module, RoundedInput):
                net.set_submodule(name, module.layer)
        return net


def _layers(model: nn.Module) -> list[str]:
    """Those that are called: torch's own attention takes the weights of its last layer without calling it."""
    uncalled = nn.modules.linear.NonDynamicallyQuantizableLinear
    layers = ((name, one) for name, one in model.named_modules() if isinstance(one, WEIGHTED))
    return [name for name, one in layers if not isinstance(one, uncalled)]


def _rounding(host: nn.Module) -> nn.Module:
    """`host` itself, with a RoundedInput around each of its layers."""
    for name in _layers(host):
        host.set_submodule(name, RoundedInput(host.get_submodule(name)))
    return host


@dataclass(frozen=True)
class Quantize(wm.Attack):
    """Weights are rounded to a few bits: symmetric, one step size per output channel; or to half precision.

    Nagel et al. 2021, section 2.2 (symmetric, per channel, range of the largest weight). With `activations`, what
    enters a layer is rounded as well, to 8 bits over the fixed range that some of the thief's images span (asymmetric,
    per tensor): what an integer engine computes, as in the full-integer rows of Kallas & Furon 2022. Passports are
    folded then, else derived from the rounded filters. Biases and norms keep their precision; integers are held as
    floats, so that a court can read the net and a further attack go on with it, which takes the plain net.
    """

    name = "quantize"
    family = "quantisation"
    kind = "removal"
    access = "weights"
    paper = "Nagel et al. 2021, arXiv:2106.08295"
    settings = ("bits=4", "bits=2", "bits=8,activations=true")

    bits: Literal[16, 8, 6, 5, 4, 3, 2] = wm.parameter(8, "per weight; 16: half-precision floats; 2: levels -1, 0, 1")
    activations: bool = wm.parameter(False, "round the inputs of convolutions and linear layers to 8 bits, too")

    @torch.no_grad()
    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.plain(thief.model) if self.activations else thief.model
        levels = 2 ** (self.bits - 1) - 1
        for module in model.modules():
            if isinstance(module, WEIGHTED):
                weight = module.weight
                if self.bits == 16:
                    weight.copy_(weight.half())
                    continue
                step = weight.abs().amax(tuple(range(1, weight.ndim)), keepdim=True) / levels
                step = step.where(step > 0, 1)  # a pruned channel: all zeros, and they stay
                weight.copy_((weight / step).round() * step)
        return QuantisedNet.of(model, wm.as_float(thief.inputs[:CALIBRATION])) if self.activations else model
