"""One training engine for owner, thief and nulls: data on the device, batches by index, no DataLoader."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn

from benchmark.architectures.blocks import channels_last
from benchmark.training.augmentation import Augment, augmented
from benchmark.training.batches import Batch, BatchSource, Step, ahead, cycle
from benchmark.training.capture import repeating
from benchmark.training.device import answered_at_once
from benchmark.training.engine import EAGER, Engine
from benchmark.training.epochs import steps_of
from benchmark.training.flops import Meter
from benchmark.training.recipe import Recipe
from benchmark.training.step import OptimiserStep, usual_loss

ANSWERED = 512  # images that a net answers at once on a CPU


def fit(
    model: nn.Module, sources: Sequence[BatchSource], recipe: Recipe, rng: torch.Generator, *,
    step: Step | None = None, parameters: Sequence[nn.Parameter] | None = None, only: nn.Module | None = None,
    augment: Augment | None = None, precision: str = "auto", engine: Engine = EAGER, meter: Meter | None = None,
) -> None:  # fmt: skip
    """Train `model` in place.

    The first source sets the length of an epoch; every step gets one batch of each source, which covers joint
    losses and trigger batches. `step(batches)` gives the loss (default: `usual_loss`); it may be captured by `engine`,
    so it draws nothing and keeps nothing in Python. `augment(images, targets, rng)` makes what a step sees of the first
    source, after the recipe's own augmentation. `only` trains one submodule and keeps the rest in eval mode, so frozen
    normalisation statistics don't drift; `parameters` names what the optimiser moves (default: all of `only` or
    `model`). Raises FloatingPointError when the loss ends up not finite.
    """
    model.eval() if only else model.train()
    (only or model).train()
    trained = list((only or model).parameters() if parameters is None else parameters)
    model.to(memory_format=torch.channels_last)
    device, loss = next(model.parameters()).device, step or partial(usual_loss, model, recipe.smoothing)
    training = _Training(sources, recipe, partial(OptimiserStep, loss, trained, recipe, device, precision), augment)
    counts = meter or Meter()
    last = training.captured(rng, device, engine, counts) if engine.captured else None
    if last is None:
        last = training.eager(rng)
    counts.steps += training.steps
    counts.samples += training.steps * sum(source.taken for source in sources)
    if not math.isfinite(last.item()):
        raise FloatingPointError(f"training diverged: the loss is {last.item()} after {training.steps} steps, lower lr")
    model.to(memory_format=torch.contiguous_format)
    model.eval()


class _Training:
    """The steps of one call of `fit`, in either of two ways; both give the last loss."""

    def __init__(
        self, sources: Sequence[BatchSource], recipe: Recipe, make_step: partial[OptimiserStep], augment: Augment | None
    ) -> None:
        self.sources, self.recipe, self.make_step, self.augment = sources, recipe, make_step, augment
        self.each = max(1, len(sources[0].x) // sources[0].batch)  # steps in an epoch
        self.steps = recipe.epochs * self.each

    def eager(self, rng: torch.Generator) -> Tensor:
        """Every step by Python, every batch by a draw of its own."""
        step, streams = self.make_step(self.recipe.lr), [cycle(source, rng) for source in self.sources]
        loss = torch.zeros(())
        for index in steps_of(self.recipe.epochs, self.each):
            first, *others = [next(stream) for stream in streams]
            beside = [(x.contiguous(memory_format=torch.channels_last), targets) for x, targets in others]
            batches = [augmented(first, self.recipe, rng, self.augment), *beside]
            loss = step.at(self.recipe.rate(index, self.steps))(batches)
        return loss

    def captured(self, rng: torch.Generator, device: torch.device, engine: Engine, meter: Meter) -> Tensor | None:
        """One recorded step, repeated on batches that are drawn and made many at a time on the device.

        Inside an epoch nothing waits for the device. None, with everything as before, where the step can't be recorded.
        """
        before, counted = rng.get_state(), meter.operations
        drawn = torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=rng)))
        first, *others = self.sources
        streams = [ahead(first, drawn, lambda chunk: augmented(chunk, self.recipe, drawn, self.augment))]
        streams += [ahead(source, drawn) for source in others]
        begun = [next(stream) for stream in streams]
        inputs = [_place_for(batch) for batch in begun]
        rate, loss = torch.zeros((), device=device), torch.zeros((), device=device)
        step = self.make_step(rate)
        with repeating(lambda: loss.copy_(step(inputs)), self.steps, device, engine) as repeat:
            if repeat is None:
                rng.set_state(before)
                meter.operations = counted
                return None
            meter.operations += (self.steps - 1) * (meter.operations - counted)  # a replay calls no layer
            steps = steps_of(self.recipe.epochs, self.each)
            for index, batches in zip(steps, chain([begun], zip(*streams, strict=True)), strict=False):
                for place, batch in zip(inputs, batches, strict=True):
                    for mine, new in zip(place, batch, strict=True):
                        mine.copy_(new)
                rate.fill_(self.recipe.rate(index, self.steps))
                repeat()
        return loss


def _place_for(batch: Batch) -> Batch:
    """Where batches of this form lie for every step alike; filled with this one."""
    x, targets = batch
    return torch.empty_like(x, memory_format=torch.channels_last).copy_(x), targets.clone()


@torch.no_grad()
def logits(model: nn.Module, x: Tensor) -> Tensor:
    """What `model`, in eval mode, answers to images (N, C, H, W) in [0, 1], float32.

    Logits (N, classes), or images (N, C, H, W) of an image-to-image net.
    """
    model.eval()
    return torch.cat([model(channels_last(part)).float() for part in x.split(answered_at_once(x, ANSWERED))])
