"""The loops that one would write by hand, against which the engine is measured: a bare one, and a fast one."""

from __future__ import annotations

import os
import shutil

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.data.splits import Data
from benchmark.training.recipe import Recipe

PART = 5000  # images whose shifted copies are made at once: their indices take more memory than they do


def bare_loop(model: nn.Module, data: Data, recipe: Recipe, precision: str) -> None:
    """What one writes first: index, scale, augment, forward, backward, step."""
    model.train().to(memory_format=torch.channels_last)
    optimiser = _optimiser(model, recipe, recipe.lr)
    for _ in range(recipe.epochs):
        order = torch.randperm(len(data), device=data.x.device)
        for start in range(0, len(data) - recipe.batch + 1, recipe.batch):
            index = order[start : start + recipe.batch]
            x = augmented(data.x[index].float() / 255, recipe).contiguous(memory_format=torch.channels_last)
            with _autocast(data.x.device, precision):
                loss = F.cross_entropy(model(x), data.y[index])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()


def fast_loop(model: nn.Module, data: Data, recipe: Recipe, precision: str, compiler: str | None) -> None:
    """What one writes for speed: images of a whole epoch augmented at once, and a step that is made once.

    The step is compiled by the torch.compile backend `compiler`, where one is named, and captured as a CUDA graph on
    a GPU.
    """
    step = _Step(model, data, recipe, precision, compiler)
    for _ in range(recipe.epochs):
        order = torch.randperm(len(data), device=data.x.device)
        images = torch.cat([augmented(part.float() / 255, recipe) for part in data.x.split(PART)])
        for start in range(0, len(data) - recipe.batch + 1, recipe.batch):
            index = order[start : start + recipe.batch]
            step.x.copy_(images[index])
            step.y.copy_(data.y[index])
            step.lr.fill_(recipe.lr)
            step.take()


class _Step:
    """One step of a freshly built net on the batch in `x` and `y`, at the rate in `lr`: fill them, then `take` it."""

    def __init__(self, model: nn.Module, data: Data, recipe: Recipe, precision: str, compiler: str | None) -> None:
        device = data.x.device
        model.train().to(memory_format=torch.channels_last)
        self._forward = torch.compile(model, backend=compiler) if compiler else model
        self._precision = precision
        self.lr = torch.tensor(0.0, device=device)
        self._optimiser = _optimiser(model, recipe, self.lr)
        shape = (recipe.batch, *data.x.shape[1:])
        self.x = torch.zeros(shape, device=device).contiguous(memory_format=torch.channels_last)
        self.y = torch.zeros(recipe.batch, dtype=torch.long, device=device)
        self._graph = self._captured(model) if device.type == "cuda" else None

    def take(self) -> None:
        if self._graph is None:
            self._run()
        else:
            self._graph.replay()

    def _run(self) -> None:
        with _autocast(self.x.device, self._precision):
            loss = F.cross_entropy(self._forward(self.x).float(), self.y)
        self._optimiser.zero_grad(set_to_none=False)  # gradients keep their addresses
        loss.backward()
        self._optimiser.step()

    def _captured(self, model: nn.Module) -> torch.cuda.CUDAGraph:
        start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True  # try kernels, take the fastest
        try:
            graph = self._recorded()
        finally:
            torch.backends.cudnn.benchmark = before
        model.load_state_dict(start)  # in place
        for state in self._optimiser.state.values():
            state["momentum_buffer"].zero_()
        return graph

    def _recorded(self) -> torch.cuda.CUDAGraph:
        side = torch.cuda.Stream(self.x.device)
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # compiles, makes gradients and momentum; the rate is 0
            for _ in range(4):
                self._run()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._run()
        return graph


def augmented(images: Tensor, recipe: Recipe) -> Tensor:
    """Images (n, C, H, W), each shifted and mirrored by its own draw as far as the recipe says."""
    n, channels, height, width = images.shape
    if recipe.shift:
        dy, dx = torch.randint(0, 2 * recipe.shift + 1, (2, n, 1), device=images.device)
        rows = (torch.arange(height, device=images.device) + dy)[:, None, :, None]
        columns = (torch.arange(width, device=images.device) + dx)[:, None, None, :]
        image = torch.arange(n, device=images.device)[:, None, None, None]
        channel = torch.arange(channels, device=images.device)[None, :, None, None]
        images = F.pad(images, (recipe.shift,) * 4)[image, channel, rows, columns]
    if recipe.flip:
        images = torch.where(torch.rand(n, 1, 1, 1, device=images.device) < 0.5, images.flip(3), images)
    return images


def compiler_for(device: torch.device) -> str | None:
    """The backend of torch.compile that can make fast code here; None where there is no compiler for what it writes."""
    needed = ("gcc", "cc", "clang") if device.type == "cuda" else ("g++", "c++", "clang++")  # to launch; to compile
    given = os.environ.get("CC" if device.type == "cuda" else "CXX")
    return "inductor" if any(map(shutil.which, filter(None, (given, *needed)))) else None


def _optimiser(model: nn.Module, recipe: Recipe, lr: float | Tensor) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        model.parameters(), lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=True, fused=True
    )


def _autocast(device: torch.device, precision: str) -> torch.autocast:
    """As the engine computes; without the cache of casts, which a replay would not fill anew."""
    wanted = device.type == "cuda" and precision == "auto"
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted, cache_enabled=False)
