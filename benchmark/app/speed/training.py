"""How fast the engine trains: against loops written by hand, and against what the device can multiply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from benchmark.app.speed.loops import bare_loop, compiler_for, fast_loop
from benchmark.app.speed.samples import Figure, timed
from benchmark.data.download import provide
from benchmark.data.splits import load
from benchmark.errors import BenchError
from benchmark.execution.job_context import context_of
from benchmark.planning.profile import Profile
from benchmark.protocol.parties import Party, TaskContext
from benchmark.training.flops import counted
from benchmark.training.loop import Meter, Recipe

ROUNDS = 9  # of each loop; the interval then leaves out one round at either end
SIDES = {"cuda": 8192, "cpu": 1024}  # of the square matrices whose product is timed
Loop = Callable[[Recipe], None]  # trains a fresh net


@dataclass(frozen=True)
class TrainingSpeed:
    """What training came to. pace: images a second of the engine. note: what the fast loop is here, in words."""

    figures: Mapping[str, Figure]
    pace: float
    note: str


def measure_training(profile: Profile, device: torch.device, seconds: float, rounds: int = ROUNDS) -> TrainingSpeed:
    """Alternate engine, bare loop and fast loop for about `seconds`, on the profile's net, images and batch size.

    They take the recipe's shifts and mirroring, and nothing else that a recipe may ask for. On a GPU the engine first
    trains as long as the profile does, so that what it prepares only for a long training is prepared. Raises BenchError
    for a profile of image-to-image nets.
    """
    context = context_of(profile.world(), device)
    if context.task.kind != "classification":
        raise BenchError(f"bench speed trains nets that name classes, and {context.task.name} has none: choose another")
    provide(context.task)
    data = load(context.task).owner.to(device)
    wanted = context.recipe
    recipe = Recipe(epochs=1, lr=wanted.lr, batch=min(wanted.batch, len(data)), shift=wanted.shift, flip=wanted.flip)

    def engine(recipe: Recipe) -> None:
        party = Party(context, data, torch.Generator().manual_seed(0))
        party.fit(party.build(), recipe)

    def net() -> nn.Module:
        return Party(context, data, torch.Generator().manual_seed(0)).build()

    def bare(recipe: Recipe) -> None:
        bare_loop(net(), data, recipe, context.precision)

    def fast_by(compiler: str | None) -> Loop:
        return lambda recipe: fast_loop(net(), data, recipe, context.precision, compiler)

    engine(replace(recipe, epochs=wanted.epochs if device.type == "cuda" else 1))
    bare(recipe)
    fast, note = _fast(fast_by, recipe, device)
    loops: dict[str, Loop] = {"engine": engine, "bare loop": bare} | ({"fast loop": fast} if fast else {})
    share = seconds / (rounds * len(loops))
    sample = replace(recipe, epochs=max(1, round(share / timed(partial(engine, recipe), device))))
    taken = alternated({name: partial(loop, sample) for name, loop in loops.items()}, device, rounds)
    images = sample.epochs * (len(data) // recipe.batch) * recipe.batch
    figures = compared(taken, images) | _share(context, taken["engine"], images)
    return TrainingSpeed(figures, figures["engine"].value, note)


def _fast(fast_by: Callable[[str | None], Loop], recipe: Recipe, device: torch.device) -> tuple[Loop | None, str]:
    """The fast loop that works here, warmed up, and what it is; None where it would be the bare one."""
    captured = "the whole step captured in a CUDA graph" if device.type == "cuda" else ""
    failed = "no compiler for the code that torch.compile writes was found"
    if compiler := compiler_for(device):
        try:
            fast_by(compiler)(recipe)
        except Exception as error:  # whatever a compiler and its code can raise
            failed = f"torch.compile failed ({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        else:
            return fast_by(compiler), ", ".join(filter(None, ("the fast loop: a compiled net", captured)))
    if not captured:
        return None, f"by hand there is the bare loop alone: {failed}"
    fast_by(None)(recipe)
    return fast_by(None), f"the fast loop: {captured}; {failed}"


def alternated(runs: Mapping[str, Callable[[], object]], device: torch.device, rounds: int) -> dict[str, list[float]]:
    """The seconds of each run in each round; another one begins every time, so that none is always the first."""
    names, taken = list(runs), {name: list[float]() for name in runs}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(timed(runs[name], device))
    return taken


def compared(taken: Mapping[str, list[float]], images: int) -> dict[str, Figure]:
    """Images a second of every loop, and the engine's time as a ratio to each of those by hand, round by round.

    The last ratio is that to the one which is faster here.
    """
    figures = {name: Figure.of([images / one for one in seconds], "images/s") for name, seconds in taken.items()}
    by_hand = [name for name in taken if name != "engine"]
    best = max(by_hand, key=lambda name: figures[name].value)
    for title, name in (*((name, name) for name in by_hand), ("the best by hand", best)):
        ratios = [one / other for one, other in zip(taken["engine"], taken[name], strict=True)]
        figures[f"engine's time / {title}'s"] = Figure.of(ratios, "")
    return figures


def _share(context: TaskContext, taken: list[float], images: int) -> dict[str, Figure]:
    """The device's rate in multiplying matrices, and the engine's share of it."""
    rate = matrix_rate(context.device, context.precision)
    share = [100 * operations_per_image(context) * images / seconds / rate for seconds in taken]
    return {
        "matrix product": Figure(2 * rate / 1e9, "GFLOP/s", 2 * rate / 1e9, 2 * rate / 1e9),
        "engine's share of it": Figure.of(share, "%"),
    }


def operations_per_image(context: TaskContext, images: int = 8) -> float:
    """Multiply-adds of a forward and a backward pass through the house net (`benchmark.training.flops`)."""
    model = Party(context, load(context.task).owner, torch.Generator().manual_seed(0)).build().train()
    x = torch.zeros(images, *context.task.shape, device=context.device)
    with counted(meter := Meter()):
        F.cross_entropy(model(x), torch.zeros(images, dtype=torch.long, device=context.device)).backward()
    return meter.operations / images


def matrix_rate(device: torch.device, precision: str, side: int | None = None) -> float:
    """Multiply-adds a second of the product of two square matrices, in the type that training computes in: the best of
    ten, since whatever else runs can only slow it down.
    """
    side = side or SIDES[device.type]
    kind = torch.bfloat16 if device.type == "cuda" and precision == "auto" else torch.float32
    one = torch.ones(side, side, dtype=kind, device=device)
    product = partial(torch.matmul, one, one)
    product()
    return side**3 / min(timed(product, device) for _ in range(10))
