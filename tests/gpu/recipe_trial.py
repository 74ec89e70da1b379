"""Recipes for ResNet-18 on CIFAR-10, tried on one GPU: what docs/performance.md shows.

`python tests/gpu/recipe_trial.py --data-root DATA --seconds 255`: one line of JSON a recipe. Of the 50,000 training
images, 40,000 train and 5,000 others measure; the test images are not read. The model is compiled and the whole step
captured in a CUDA graph: what a hand-written loop reaches, not the engine of `benchmark.training`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.datasets import CIFAR10

from benchmark.architectures.net import build

TRAINING, VALIDATION = 40_000, 5_000
MOMENTUM, RISING, PAD = 0.9, 0.2, 4  # rising: share of the steps in which the rate grows


@dataclass(frozen=True)
class Trial:
    """One recipe: SGD with Nesterov momentum; the rate rises over a fifth of the steps and falls linearly to 0."""

    epochs: int
    lr: float
    weight_decay: float = 1e-3
    cutout: int = 0  # side of the square that is blanked, in pixels
    smoothing: float = 0.1
    batch: int = 512


TRIALS = (
    Trial(38, 0.4, cutout=8), Trial(56, 0.4, cutout=12), Trial(38, 0.4), Trial(38, 0.2, cutout=8),
    Trial(38, 0.4, 5e-4, cutout=8), Trial(16, 0.2), Trial(16, 0.4), Trial(16, 0.2, 5e-4), Trial(16, 0.4, 5e-4),
)  # fmt: skip


class CapturedStep:
    """One optimiser step of a freshly built net as a CUDA graph: fill `x`, `y` and `lr`, then `replay`."""

    def __init__(self, trial: Trial, mean: Tensor, std: Tensor) -> None:
        spec = {"builder": "resnet18", "classes": 10, "mean": mean.tolist(), "std": std.tolist()}
        self.model = build(spec).cuda().to(memory_format=torch.channels_last).train()
        compiled = torch.compile(self.model)
        decayed = [one for one in self.model.parameters() if one.dim() > 1]
        others = [one for one in self.model.parameters() if one.dim() <= 1]
        self.lr = torch.tensor(0.0, device="cuda")
        optimiser = torch.optim.SGD(
            [{"params": decayed, "weight_decay": trial.weight_decay}, {"params": others, "weight_decay": 0.0}],
            self.lr, MOMENTUM, nesterov=True, fused=True,
        )  # fmt: skip
        self.x = torch.zeros(trial.batch, 3, 32, 32, device="cuda").contiguous(memory_format=torch.channels_last)
        self.y = torch.zeros(trial.batch, dtype=torch.long, device="cuda")

        def step() -> None:
            with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):  # a cached cast would not be replayed
                loss = F.cross_entropy(compiled(self.x).float(), self.y, label_smoothing=trial.smoothing)
            optimiser.zero_grad(set_to_none=False)  # gradients keep their addresses
            loss.backward()
            optimiser.step()

        start = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # compiles, chooses kernels, makes gradients and momentum; the rate is 0
            for _ in range(4):
                step()
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            step()
        self.model.load_state_dict(start)  # in place
        for state in optimiser.state.values():
            state["momentum_buffer"].zero_()

    def train(self, x: Tensor, y: Tensor, trial: Trial, fill: Tensor) -> None:
        steps, done = trial.epochs * (len(x) // trial.batch), 0
        for _ in range(trial.epochs):
            order, images = torch.randperm(len(x), device="cuda"), augmented(x, trial.cutout, fill)
            for start in range(0, len(x) - trial.batch + 1, trial.batch):
                share = done / steps
                self.lr.fill_(trial.lr * min(share / RISING, (1 - share) / (1 - RISING)))
                index = order[start : start + trial.batch]
                self.x.copy_(images[index])
                self.y.copy_(y[index])
                self.graph.replay()
                done += 1


def augmented(x: Tensor, cutout: int, fill: Tensor) -> Tensor:
    """Images uint8 (N, C, H, W) as floats in [0, 1], each shifted, mirrored and blanked by its own draw."""
    n, channels, side, _ = x.shape
    padded = F.pad(x.float() / 255, (PAD,) * 4, mode="reflect")
    dy, dx = torch.randint(0, 2 * PAD + 1, (2, n, 1), device=x.device)
    at = torch.arange(side, device=x.device)
    rows, columns = (at + dy)[:, None, :, None], (at + dx)[:, None, None, :]
    channel = torch.arange(channels, device=x.device)[None, :, None, None]
    parts = []
    for part in torch.arange(n, device=x.device).split(5000):
        parts.append(padded[part[:, None, None, None], channel, rows[part], columns[part]])
    images = torch.cat(parts)
    images = torch.where(torch.rand(n, 1, 1, 1, device=x.device) < 0.5, images.flip(3), images)
    if cutout:
        top, left = torch.randint(0, side - cutout + 1, (2, n, 1, 1, 1), device=x.device)
        high = (at[:, None] >= top) & (at[:, None] < top + cutout)
        wide = (at >= left) & (at < left + cutout)
        images = torch.where(high & wide, fill[None, :, None, None], images)
    return images


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor, mirrored: bool) -> float:
    """Percent of right answers, in float32; mirrored: of the sum of the answers to an image and its mirror image."""
    right = 0
    for images, labels in zip(x.split(2500), y.split(2500), strict=True):
        images = (images.float() / 255).contiguous(memory_format=torch.channels_last)
        answers = model(images) + model(images.flip(3)) if mirrored else model(images)
        right += int((answers.argmax(1) == labels).sum())
    return 100 * right / len(x)


def trials(
    train: tuple[Tensor, Tensor], validation: tuple[Tensor, Tensor], seconds: float
) -> Iterator[dict[str, object]]:
    """Each recipe's seconds of training, images a second and accuracy; none is begun after `seconds`."""
    torch.backends.cudnn.benchmark = True
    ends, (x, y) = time.perf_counter() + seconds, train
    pixels = x.float() / 255
    mean, std = pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))
    for trial in TRIALS:
        if time.perf_counter() > ends:
            return
        torch.manual_seed(0)
        began = time.perf_counter()
        step = CapturedStep(trial, mean, std)
        torch.cuda.synchronize()
        captured = time.perf_counter()
        step.train(x, y, trial, mean)
        torch.cuda.synchronize()
        took = time.perf_counter() - captured
        model = step.model.eval()
        yield asdict(trial) | {
            "capture": round(captured - began, 2), "seconds": round(took, 1),
            "images/s": round(trial.epochs * (len(x) // trial.batch) * trial.batch / took),
            "accuracy": accuracy(model, *validation, False), "mirrored": accuracy(model, *validation, True),
        }  # fmt: skip


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path), required=True, help="Where CIFAR-10 lies.")
@click.option("--seconds", default=255.0, help="No recipe is begun later.")
def main(data_root: Path, seconds: float) -> None:
    found = CIFAR10(str(data_root), train=True)
    order = torch.randperm(len(found.data), generator=torch.Generator().manual_seed(0))[: TRAINING + VALIDATION]
    x = torch.from_numpy(found.data)[order].permute(0, 3, 1, 2).contiguous().cuda()
    y = torch.tensor(found.targets)[order].cuda()
    train, validation = (x[:TRAINING], y[:TRAINING]), (x[TRAINING:], y[TRAINING:])
    for line in trials(train, validation, seconds):
        click.echo(json.dumps(line))


if __name__ == "__main__":
    main()
