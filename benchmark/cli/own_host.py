"""The options that name a host of one's own, and the profile that goes with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import click

_OPTIONS = (
    click.option(
        "--host", metavar="torchvision:NAME|timm:NAME|file:PATH:FUNCTION",
        help="The net to mark, in place of the profile's.",
    ),
    click.option(
        "--weights", type=click.Path(path_type=Path), metavar="FILE",
        help="What that net begins with: .safetensors, .pt, .pth or .bin.",
    ),
    click.option(
        "--data", metavar="FOLDER[:SIZE]", help="Images in one subfolder per class; or a data set, such as cifar10."
    ),
)  # fmt: skip


def options(usual: str) -> Callable[..., Any]:
    """The options that name a host of one's own, and the profile: with a host, the one that is made for hosts."""

    def added(command: Callable[..., Any]) -> Callable[..., Any]:
        profile = click.option(
            "--profile", help=f"A profile's name, or a .toml file.  [default: {usual}; own with a host]"
        )
        return reduce(lambda inner, option: option(inner), (*reversed(_OPTIONS), profile), command)

    return added
