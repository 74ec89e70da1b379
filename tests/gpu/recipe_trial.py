"""Recipes for ResNet-18 on CIFAR-10, tried on one GPU: what docs/performance.md shows.

`python tests/gpu/recipe_trial.py --data-root DATA --seconds 255`: one line of JSON a recipe. Of the 50,000 training
images, 40,000 train and 5,000 others measure; the test images are not read.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import click
import torch
from torch import Tensor, nn
from torchvision.datasets import CIFAR10

from benchmark.architectures.net import build
from benchmark.training.batches import Batch, BatchSource
from benchmark.training.device import device_of
from benchmark.training.engine import engine_for
from benchmark.training.loop import fit
from benchmark.training.recipe import Recipe

TRAINING, VALIDATION = 40_000, 5_000
WARM_UP = 16  # epochs, enough for the engine to compile the net


@dataclass(frozen=True)
class Trial:
    """One recipe: SGD with Nesterov momentum; the rate rises over a fifth of the steps and falls linearly to 0."""

    epochs: int
    lr: float
    weight_decay: float = 1e-3
    cutout: int = 0  # side of the square that is blanked, in pixels
    smoothing: float = 0.1
    batch: int = 512

    @property
    def recipe(self) -> Recipe:
        return Recipe(
            self.epochs, self.lr, self.batch, weight_decay=self.weight_decay, decay_norms=False, schedule="linear",
            smoothing=self.smoothing, shift=4, border="reflect", flip=True,
        )  # fmt: skip


TRIALS = (
    Trial(40, 0.4), Trial(38, 0.4, cutout=8), Trial(56, 0.4, cutout=12), Trial(38, 0.4), Trial(38, 0.2, cutout=8),
    Trial(38, 0.4, 5e-4, cutout=8), Trial(16, 0.2), Trial(16, 0.4), Trial(16, 0.2, 5e-4), Trial(16, 0.4, 5e-4),
)  # fmt: skip


def cutout(side: int, fill: Tensor, x: Tensor, y: Tensor, rng: torch.Generator) -> Batch:
    """Images (n, C, H, W) with a square of `side` pixels each that has the colour `fill`, and their labels."""
    n, _, height, width = x.shape
    top, left = torch.randint(0, height - side + 1, (2, n, 1, 1, 1), generator=rng, device=rng.device)
    rows, columns = torch.arange(height, device=x.device)[:, None], torch.arange(width, device=x.device)
    high, wide = ((at >= start) & (at < start + side) for at, start in ((rows, top), (columns, left)))
    return torch.where(high & wide, fill[None, :, None, None], x), y


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
    """Each recipe's seconds of training, images a second and accuracy; none is begun after `seconds`.

    The first line is the warm-up, with the compiler's seconds in it; in the others each net's own capture is.
    """
    ends, (x, y) = time.perf_counter() + seconds, train
    pixels = x.float() / 255
    mean, std = pixels.mean((0, 2, 3)), pixels.std((0, 2, 3))
    spec = {"builder": "resnet18", "classes": 10, "mean": mean.tolist(), "std": std.tolist()}

    def trained(trial: Trial) -> tuple[nn.Module, float]:
        torch.manual_seed(0)
        model, blank = build(spec).to(x.device), partial(cutout, trial.cutout, mean) if trial.cutout else None
        began = time.perf_counter()
        rng, engine = torch.Generator().manual_seed(0), engine_for(x.device, "auto")
        fit(model, [BatchSource(x, y, trial.batch)], trial.recipe, rng, augment=blank, engine=engine)
        return model, time.perf_counter() - began  # `fit` has read the last loss

    yield {"warm-up": round(trained(Trial(WARM_UP, 0.4))[1], 1)}
    for trial in TRIALS:
        if time.perf_counter() > ends:
            return
        model, took = trained(trial)
        yield asdict(trial) | {
            "seconds": round(took, 1),
            "images/s": round(trial.epochs * (len(x) // trial.batch) * trial.batch / took),
            "accuracy": accuracy(model, *validation, False), "mirrored": accuracy(model, *validation, True),
        }  # fmt: skip


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path), required=True, help="Where CIFAR-10 lies.")
@click.option("--seconds", default=255.0, help="No recipe is begun later.")
def main(data_root: Path, seconds: float) -> None:
    device, found = device_of("cuda"), CIFAR10(str(data_root), train=True)
    order = torch.randperm(len(found.data), generator=torch.Generator().manual_seed(0))[: TRAINING + VALIDATION]
    x = torch.from_numpy(found.data)[order].permute(0, 3, 1, 2).contiguous().to(device)
    y = torch.tensor(found.targets)[order].to(device)
    train, validation = (x[:TRAINING], y[:TRAINING]), (x[TRAINING:], y[TRAINING:])
    for line in trials(train, validation, seconds):
        click.echo(json.dumps(line))


if __name__ == "__main__":
    main()
