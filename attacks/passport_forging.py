"""What every forger of passports does: find the layers, derive scales, train a few tensors of a frozen net."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from benchmark.contract import NotApplicable, PassportScheme, Recipe, Thief, head


def passport_scheme(thief: Thief) -> PassportScheme:
    """The scheme under attack. Raises NotApplicable when it has no passports."""
    scheme = thief.scheme
    if not isinstance(scheme, PassportScheme):
        raise NotApplicable(f"{scheme.name} has no passports to forge")
    return scheme


def scale_of(conv: nn.Conv2d, passport: Tensor) -> Tensor:
    """What a layer derives from a passport (1, C_in, H, W): the mean of each filter's answer, (C_out,)."""
    return conv(passport).mean((0, 2, 3))


def train_alone(
    thief: Thief,
    model: nn.Module,
    parameters: Sequence[nn.Parameter],
    recipe: Recipe,
    step: Callable[[Sequence[tuple[Tensor, Tensor]]], Tensor] | None = None,
) -> None:
    """Train `parameters` alone, with every normalisation in eval mode: of `model`, only its linear head is in train."""
    for one in parameters:
        one.requires_grad_()
    thief.fit(model, recipe, step=step, parameters=parameters, only=head(model))
