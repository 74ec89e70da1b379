"""The one training engine: what a step sees, and that images as targets move with their inputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmark.training.batches import BatchSource
from benchmark.training.loop import fit
from benchmark.training.recipe import Recipe


def images(n: int = 32) -> Tensor:
    return torch.randint(0, 256, (n, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


class Scale(nn.Module):
    """One number that multiplies its input."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


def trained(targets: Tensor, recipe: Recipe) -> float:
    model = Scale()
    fit(model, [BatchSource(images(), targets, 8)], recipe, torch.Generator().manual_seed(0))
    return float(model.factor.detach())


def test_images_as_targets_are_learnt_by_squared_error() -> None:
    half = (images().float() / 2).round().to(torch.uint8)
    for optimiser in ("sgd", "adam"):
        recipe = Recipe(epochs=30, lr=0.1, batch=8, optimiser=optimiser, weight_decay=0.0)
        assert abs(trained(half, recipe) - 0.5) < 0.02, optimiser


def test_targets_that_are_images_move_with_their_inputs() -> None:
    """A shifted or mirrored input with a target left behind would have nothing to learn but a mean."""
    recipe = Recipe(epochs=1, lr=0.0, batch=8, shift=2, flip=True)
    seen: list[tuple[Tensor, Tensor]] = []
    model = Scale()

    def step(batches: list[tuple[Tensor, Tensor]]) -> Tensor:
        seen.extend(batches)
        return model(batches[0][0]).sum()

    x = images()
    fit(model, [BatchSource(x, 255 - x, 8)], recipe, torch.Generator().manual_seed(0), step=step)
    assert len(seen) == 4
    inside = [(a > 0) & (b > 0) for a, b in seen]  # what a shift brings in is 0 in both
    assert all(torch.allclose((a + b)[here], torch.ones(())) for (a, b), here in zip(seen, inside, strict=True))
    originals = {tuple(image.flatten().tolist()) for image in x.float() / 255}
    assert any(tuple(image.flatten().tolist()) not in originals for a, _ in seen for image in a)


def test_class_numbers_are_no_images() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    labels = (images().float().mean((1, 2, 3)) > 127).long()
    fit(model, [BatchSource(images(), labels, 8)], Recipe(epochs=60, lr=0.1), torch.Generator().manual_seed(0))
    right = model(images().float() / 255).argmax(1) == labels
    assert right.float().mean() > 0.8


def test_a_rate_in_steps_falls_to_a_tenth_after_each_share() -> None:
    recipe = Recipe(lr=0.1, schedule="steps", drops=(0.5, 0.75))
    rates = [recipe.rate(step, 200) for step in range(200)]
    assert rates == pytest.approx([0.1] * 100 + [0.01] * 50 + [0.001] * 50)
