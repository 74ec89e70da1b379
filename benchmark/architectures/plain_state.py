"""The tensors of a net as it computes with them, without what torch puts around a net to prune, reparametrise, compile
or spread it.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

_RECOMPUTED = (BasePruningMethod, SpectralNorm, WeightNorm)  # hooks that make a weight before each forward pass


def unwrapped(module: nn.Module) -> nn.Module:
    """The net inside what `torch.compile`, DataParallel and DistributedDataParallel make of it."""
    while inner := _inner(module):
        module = module.get_submodule(inner)
    return module


def _inner(module: nn.Module) -> str:
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return "module"
    return "_orig_mod" if "_orig_mod" in module._modules else ""  # its class would load the whole compiler


@torch.no_grad()
def plain_state(module: nn.Module) -> dict[str, Tensor]:
    """The state of a net that its builder makes anew: strided tensors on the CPU that share no memory.

    Raises TypeError, saying what to return instead, for hooks and other changes of the forward pass, and for what is no
    tensor or has no values yet.
    """
    state, wrappers = dict(module.state_dict()), list[tuple[str, str]]()
    for name, tensor in state.items():
        _check(name, tensor)
    for name, part in module.named_modules(remove_duplicate=False):
        at = f"{name}." if name else ""
        inner, hooks = _inner(part), (*part._forward_hooks.values(), *part._forward_pre_hooks.values())
        if ("forward" in vars(part) and not inner) or not all(isinstance(hook, _RECOMPUTED) for hook in hooks):
            where = f"{type(part).__name__} {name!r}" if name else f"{type(part).__name__}"
            cure = "remove it, or return what it does as a filter or in a net with a builder of its own"
            raise TypeError(f"the {where} has a hook or another forward, which are no part of its tensors: {cure}")
        for computed, stored, value in _derived(part):
            state = {key: one for key, one in state.items() if key not in {at + one for one in stored}}
            state[at + computed] = value
        if inner:
            wrappers.insert(0, (at + inner + ".", at))  # the innermost first
    for outer, plain in wrappers:
        state = {plain + key.removeprefix(outer) if key.startswith(outer) else key: one for key, one in state.items()}
    return {name: _plain(tensor) for name, tensor in state.items()}


def _derived(part: nn.Module) -> Iterator[tuple[str, list[str], Tensor]]:
    """Each tensor of a module that is computed from others: its name, what these are stored as, its value."""
    if parametrize.is_parametrized(part):
        stored = [key for key in part.state_dict() if key.startswith("parametrizations.")]
        for name in part.parametrizations:  # type: ignore[union-attr]
            yield name, stored, getattr(part, name)
    for hook in part._forward_pre_hooks.values():
        if isinstance(hook, BasePruningMethod):
            pruned = hook._tensor_name
            yield pruned, [f"{pruned}_orig", f"{pruned}_mask"], hook.apply_mask(part)
        elif isinstance(hook, WeightNorm):
            yield hook.name, [f"{hook.name}_g", f"{hook.name}_v"], hook.compute_weight(part)
        elif isinstance(hook, SpectralNorm):
            stored = [f"{hook.name}_{one}" for one in ("orig", "u", "v")]
            yield hook.name, stored, hook.compute_weight(part, do_power_iteration=False)


def _check(name: str, tensor: object) -> None:
    if not isinstance(tensor, Tensor):
        kind = type(tensor).__name__
        raise TypeError(
            f"{name} is no tensor but a {kind}: return ordinary layers, with what a quantised one stands for"
        )
    if is_lazy(tensor) or tensor.is_meta:
        raise TypeError(f"{name} has no values yet: run the net once before it is returned")


def _plain(tensor: Tensor) -> Tensor:
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    return tensor.detach().cpu().contiguous().clone()
