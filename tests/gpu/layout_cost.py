"""How long nets answer images whose channels lie first in memory, and last.

`python tests/gpu/layout_cost.py`: 256 images in one thread, both ways in turn, the shortest of nine times each.
"""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from benchmark.architectures.blocks import channels_last
from benchmark.architectures.net import build
from benchmark.execution.job_context import context_of
from benchmark.planning.profile import load_profile
from benchmark.training.device import device_of

NETS = (
    ("quick", "classification", None),
    ("fmnist", "classification", None),
    ("fmnist", "classification", "resnet18(width=8)"),
    ("cifar10-small", "classification", None),
    ("quick", "image-to-image", None),
    ("quick-vit", "classification", None),
)
IMAGES, ROUNDS = 256, 9


@torch.no_grad()
def milliseconds(net: nn.Module, layouts: tuple[Tensor, ...]) -> list[float]:
    """The shortest time to answer each of `layouts`, taken in turn."""
    found: list[list[float]] = [[] for _ in layouts]
    for _ in range(ROUNDS):
        for times, images in zip(found, layouts, strict=True):
            begun = time.perf_counter()
            net(images)
            times.append(1000 * (time.perf_counter() - begun))
    return [min(times) for times in found]


def main() -> None:
    for profile, kind, architecture in NETS:
        track = load_profile(profile).track([kind])
        assert track is not None
        context = context_of(track.world(), device_of("cpu"))
        spec = context.spec(architecture)
        images = torch.rand(IMAGES, *context.task.shape)
        first, last = milliseconds(build(spec).eval(), (images, channels_last(images)))
        shape = "x".join(map(str, context.task.shape))
        print(f"| {profile}, {spec['builder']} | {shape} | {first:.1f} | {last:.1f} | {last / first:.2f} |")


if __name__ == "__main__":
    main()
