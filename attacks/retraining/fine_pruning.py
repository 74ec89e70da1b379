"""Fine-pruning: channels that clean images leave quiet are cut, and the rest is fine-tuned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from attacks.retraining.tuning import tuned
from benchmark import contract as wm


@dataclass(frozen=True)
class FinePruning(wm.Attack):
    """The channels of the last convolution that answer least to clean images fall silent; then fine-tuning.

    Liu et al. 2018, section 4: triggers use channels that the task leaves idle, and fine-tuning alone has no reason to
    touch those. They cut until clean accuracy falls; the Watermark-Robustness-Toolbox (Lukas et al. 2022) cuts 96 %.
    A silent channel has scale and shift 0 before a ReLU, through which no gradient passes, so it stays silent. The last
    convolution is the last that such a ReLU follows directly. A net without normalised convolutions loses those of its
    last hidden units, with all that reads them: of a transformer the last perceptron's. The thief buys the labels that
    he lacks.
    """

    name = "fine-pruning"
    family = "pruning"
    kind = "removal"
    access = "weights"
    paper = "Liu et al. 2018, RAID (arXiv:1805.12185)"
    settings: ClassVar[tuple[str, ...]] = ("amount=0.9", "amount=0.5")

    amount: float = wm.parameter(0.9, "share of the channels that fall silent", low=0.0, high=1.0)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)
    epochs: int = wm.parameter(10, "passes over the thief's images", low=1)

    def run(self, thief: wm.Thief) -> nn.Module:
        model = wm.unfused(wm.plain(thief.model))
        blocks = [block for _, block in wm.conv_blocks(model) if block.relu]
        if not blocks:
            return tuned(thief, self.without_units(thief, model), self.lr, self.epochs)
        answers = loudness(model, blocks[-1], wm.as_float(thief.inputs))
        quiet = answers.argsort()[: int(self.amount * len(answers))]
        with torch.no_grad():
            blocks[-1].norm.weight[quiet] = 0
            blocks[-1].norm.bias[quiet] = 0
        return tuned(thief, model, self.lr, self.epochs)

    @torch.no_grad()
    def without_units(self, thief: wm.Thief, model: nn.Module) -> nn.Module:
        """`model` without its quietest last hidden units: no weight makes or reads them, so no gradient wakes them."""
        groups = wm.channel_groups(model, thief.task.shape)
        if not groups:
            raise wm.NotApplicable("the net has no hidden units that could fall silent one by one")
        last = groups[-1]
        (read,) = wm.entering(model, last.readers[:1], wm.as_float(thief.inputs))
        read = read.transpose(1, -1) if read.dim() == 4 else read  # channels behind the places of a map
        answers = read.unflatten(-1, (last.size, -1)).abs().flatten(0, -3).mean((0, 2))
        quiet = answers.argsort()[: int(self.amount * last.size)]
        state = model.state_dict()
        for name in (f"{layer}.{leaf}" for both in last.writers for layer in both for leaf in ("weight", "bias")):
            if name in state:
                state[name][quiet] = 0
        for layer in last.readers:
            state[f"{layer}.weight"].unflatten(1, (last.size, -1))[:, quiet] = 0
        return model


def loudness(model: nn.Module, block: wm.ConvBlock, x: Tensor) -> Tensor:
    """Mean answer of each channel of `block`, (C,), to images (N, C, H, W) in [0, 1]."""
    seen: list[Tensor] = []
    hook = block.register_forward_hook(lambda *given: seen.append(given[2].detach().sum((0, 2, 3))))
    wm.logits(model, x)
    hook.remove()
    return torch.stack(seen).sum(0)
