"""The key of the passport scheme, and where its passports and bits come from."""

from __future__ import annotations

import hashlib
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark import contract as wm
from schemes.passport_net import Pairs


@dataclass(frozen=True, kw_only=True)
class PassportKey(wm.Key):
    """Per passport layer: its name, own text ("" where it takes a part of `signature`), bits and passports.

    statistics: of the private branch, mean and variance per channel of each batch normalisation behind the first
    passport layer; empty for V1 and for group normalisation. triggers, labels among `classes`: V3 only, else empty.
    """

    layers: tuple[str, ...] = wm.field(length="L", distinct=True)
    texts: tuple[str, ...] = wm.field(length="L")
    signature: str
    bits: tuple[Tensor, ...] = wm.field(
        length="L", dtype=torch.bool, shape=("C_out",),
        unbound="the bits don't follow from the secret and what else they are bound to",
    )  # fmt: skip
    statistics: tuple[Tensor, ...] = wm.field(dtype=torch.float32, shape=(2, "C"))
    triggers: Tensor = wm.field(dtype=torch.uint8, shape=("t", "C", "H", "W"))
    labels: Tensor = wm.field(
        dtype=torch.int64, shape=("t",), low=0, below="classes",
        unbound="the triggers' labels don't follow from the secret",
    )  # fmt: skip
    classes: int = wm.field(low=1)
    p_gamma: tuple[Tensor, ...] = wm.field(length="L", dtype=torch.float32, shape=(1, "C_in", "H", "W"))
    p_beta: tuple[Tensor, ...] = wm.field(length="L", dtype=torch.float32, shape=(1, "C_in", "H", "W"))

    @property
    def passports(self) -> list[tuple[Tensor, Tensor]]:
        """(p_gamma, p_beta) per passport layer."""
        return list(zip(self.p_gamma, self.p_beta, strict=True))

    @property
    def by_layer(self) -> dict[str, tuple[Tensor, Tensor]]:
        """The same by the layers' names."""
        return dict(zip(self.layers, self.passports, strict=True))


def drawn(recipe: str, x: Tensor, rng: torch.Generator) -> Tensor:
    """One passport (1, C, H, W) by a recipe of Passport, out of what enters its layer for images, (n, C, H, W).

    image: the first image's. shuffle: slot s takes an unused random channel of image s mod n. signed: the same, each
    channel times a random sign. random: uniform on (-1, 1), whatever the images.
    """
    images, channels = x.shape[:2]
    if recipe == "random":
        return (torch.rand(x[:1].shape, generator=rng) * 2 - 1).to(x.device)
    if recipe == "image":
        return x[:1].clone()
    order = torch.rand(images, channels, generator=rng).argsort(1)
    slot = torch.arange(channels)
    image, channel = slot % images, order[slot % images, slot // images]
    passport = x[image.to(x.device), channel.to(x.device)][None]
    if recipe == "signed":
        passport *= (torch.randint(2, (channels, 1, 1), generator=rng) * 2 - 1).to(x.device)
    return passport


def read_config(path: str) -> dict[str, str]:
    """The layers that a TOML file gives passports: its keys are their names, its values `true` or the layer's text.

    Quotes around names are optional; false leaves a layer out; true is returned as "". Raises ValueError for any other
    table, BenchError for what is no TOML within limits.
    """
    table, _ = wm.read_toml(Path(path), path, 'write a layer a line, such as "blocks.1" = true')
    layers = {}
    for name, value in _flat(table):
        if not isinstance(value, str | bool) or value == "":
            wrong = f"{name:.100} must be true, false or the text of its signature, not {reprlib.repr(value)}"
            raise ValueError(f"{path}: {wrong}")
        if value is not False:
            layers[name] = "" if value is True else str(value)
    if not layers:
        raise ValueError(f'{path} names no layer: write one a line, such as "blocks.1" = true')
    return layers


def _flat(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + name, value


def message_bits(text: str, n: int) -> Tensor:
    """`text` as n bits, boolean (n,): 8 bits a character, the highest first, repeated until all n are filled.

    Raises ValueError for text that is empty, not ASCII, or longer than n // 8 characters.
    """
    shown = reprlib.repr(text)  # a file may hold a long one
    if not text or not text.isascii():
        raise ValueError(f"the signature {shown} must be ASCII text of at least one character")
    if 8 * len(text) > n:
        raise ValueError(f"the signature {shown} needs {8 * len(text)} bits, its passport layers have {n}: shorten it")
    bits = np.unpackbits(np.frombuffer(text.encode("ascii"), dtype=np.uint8)).astype(bool)
    return torch.from_numpy(np.resize(bits, n))


def whitened_bits(
    signature: str, texts: Sequence[str], widths: Sequence[int], secret: bytes, bound: Pairs = ()
) -> tuple[Tensor, ...]:
    """The bits of layers with `widths` channels: their texts XOR a stream of the secret (and of passports `bound`).

    `signature` is written, repeated, over all layers without a text of their own. Raises ValueError where a text
    doesn't fit.
    """
    label = b"passport bits"
    if bound:
        digest = hashlib.sha256()
        for passport in chain.from_iterable(bound):
            digest.update(str(tuple(passport.shape)).encode())
            digest.update(passport.contiguous().numpy().tobytes())
        label += digest.digest()
    common = [width for text, width in zip(texts, widths, strict=True) if not text]
    shared = iter(message_bits(signature, sum(common)).split(common) if common else ())
    written = [message_bits(text, width) if text else next(shared) for text, width in zip(texts, widths, strict=True)]
    return (torch.cat(written) ^ wm.prf_bits(secret, label, sum(widths))).split(list(widths))
