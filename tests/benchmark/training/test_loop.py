"""The one training engine: what a step sees, and that images as targets move with their inputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from benchmark.architectures.blocks import channels_last
from benchmark.training import batches
from benchmark.training.augmentation import random_shift
from benchmark.training.batches import BatchSource, ahead, cycle
from benchmark.training.engine import EAGER, Engine
from benchmark.training.epochs import listening
from benchmark.training.loop import fit, logits
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

    def step(given: list[tuple[Tensor, Tensor]]) -> Tensor:
        seen.extend(given)
        return model(given[0][0]).sum()

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


def test_a_linear_rate_rises_over_a_fifth_of_the_steps_and_falls_to_nothing() -> None:
    recipe = Recipe(lr=0.4, schedule="linear")
    rates = [recipe.rate(step, 100) for step in range(101)]
    assert rates[:3] == pytest.approx([0.0, 0.02, 0.04])
    assert max(rates) == rates[20] == pytest.approx(0.4)
    assert rates[60] == pytest.approx(0.2)
    assert rates[100] == 0.0


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_norms_and_biases_can_be_spared_from_decay(optimiser: str) -> None:
    """With no gradient, only decay moves anything."""
    for decay_norms in (True, False):
        layer, norm = nn.Linear(64, 2), nn.BatchNorm1d(2)
        nn.init.ones_(layer.bias)
        model = nn.Sequential(nn.Flatten(), layer, norm)
        before = [one.clone() for one in model.parameters()]
        recipe = Recipe(epochs=1, lr=0.1, batch=8, weight_decay=0.1, decay_norms=decay_norms, optimiser=optimiser)
        source = BatchSource(images(), torch.zeros(32, dtype=torch.long), 8)

        def nothing(seen: list[tuple[Tensor, Tensor]], model: nn.Module = model) -> Tensor:
            return 0 * model(seen[0][0]).sum()

        fit(model, [source], recipe, torch.Generator().manual_seed(0), step=nothing)
        moved = [not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True)]
        assert moved == [True, decay_norms, decay_norms, False]  # a shift of 0 has nothing to lose


def test_smoothed_labels_keep_a_net_from_certainty() -> None:
    def surest(smoothing: float) -> float:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        labels = (images().float().mean((1, 2, 3)) > 127).long()
        recipe = Recipe(epochs=200, lr=0.5, weight_decay=0.0, smoothing=smoothing)
        fit(model, [BatchSource(images(), labels, 32)], recipe, torch.Generator().manual_seed(0))
        return float(model(images().float() / 255).softmax(1).amax(1).mean().detach())

    assert surest(0.0) > 0.98
    assert surest(0.2) == pytest.approx(0.9, abs=0.02)  # 1 - smoothing + smoothing / classes


def test_a_shifted_image_is_continued_by_its_mirror_image_where_a_recipe_wants_that() -> None:
    x, rng = torch.rand(64, 1, 8, 8).clamp(0.1), torch.Generator().manual_seed(0)
    reflected = random_shift(x, 2, rng, "reflect")
    assert (reflected > 0).all()
    black = random_shift(x, 2, rng.manual_seed(0))
    assert (black == 0).any()
    assert torch.equal(reflected[black > 0], black[black > 0])
    row = torch.arange(8.0).expand(1, 1, 8, 8)
    assert {tuple(random_shift(row, 1, rng, "reflect")[0, 0, 0].int().tolist()) for _ in range(30)} == {
        (1, 0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 4, 5, 6, 7, 6)
    }  # fmt: skip


def test_batches_made_many_at_a_time_are_those_of_one_permutation_after_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = BatchSource(images(), torch.arange(32), 5)
    for chunk in (1, 700, 10_000):
        monkeypatch.setattr(batches, "CHUNK", chunk)
        made, wanted = (take(source, torch.Generator().manual_seed(0)) for take in (ahead, cycle))
        for _, (x, y), (other_x, other_y) in zip(range(14), made, wanted, strict=False):
            assert torch.equal(x, other_x)
            assert torch.equal(y, other_y)
            assert len(x) == 5


@pytest.mark.parametrize("engine", [EAGER, Engine(captured=True)])
def test_whoever_listens_hears_of_every_epoch_and_changes_no_number(engine: Engine) -> None:
    def trained() -> Tensor:
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        nn.init.zeros_(model[1].weight)
        labels, rng = torch.arange(32) % 10, torch.Generator().manual_seed(0)
        fit(model, [BatchSource(images(), labels, 8)], Recipe(epochs=3, lr=0.1, batch=8, shift=1), rng, engine=engine)
        return torch.cat([model[1].weight.detach().flatten(), torch.rand(3, generator=rng)])  # and what it drew

    torch.manual_seed(5)
    alone, heard = trained(), list[tuple[int, int]]()
    torch.manual_seed(5)
    with listening(lambda done, of: heard.append((done, of))):
        watched = trained()
    trained()
    assert heard == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert torch.equal(alone, watched)


class Strides(nn.Module):
    """Remembers how what a convolution made lies in memory."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 16, 3)
        self.last: list[bool] = []

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        self.last.append(y.stride()[1] == 1)
        return y.mean((2, 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_answers_are_computed_with_channels_last(channels: int) -> None:
    """Of grey images as well, whose strides torch takes for channels first: poolings took six times as long."""
    model = Strides(channels)
    x = torch.rand(600, channels, 8, 8)
    answers = logits(model, x)
    assert model.last == [True, True]
    assert torch.allclose(answers, model(x), atol=1e-6)
    assert torch.equal(channels_last(x), x)
