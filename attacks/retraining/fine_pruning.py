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
    convolution is the last that such a ReLU follows directly. The thief buys the labels that he lacks.
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
            raise wm.NotApplicable("this net has no convolution with a normalisation and a ReLU behind it")
        answers = loudness(model, blocks[-1], wm.as_float(thief.inputs))
        quiet = answers.argsort()[: int(self.amount * len(answers))]
        with torch.no_grad():
            blocks[-1].norm.weight[quiet] = 0
            blocks[-1].norm.bias[quiet] = 0
        return tuned(thief, model, self.lr, self.epochs)


def loudness(model: nn.Module, block: wm.ConvBlock, x: Tensor) -> Tensor:
    """Mean answer of each channel of `block`, (C,), to images (N, C, H, W) in [0, 1]."""
    seen: list[Tensor] = []
    hook = block.register_forward_hook(lambda *given: seen.append(given[2].detach().sum((0, 2, 3))))
    wm.logits(model, x)
    hook.remove()
    return torch.stack(seen).sum(0)
