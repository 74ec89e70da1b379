"""The key of the passport scheme: where its passports and bits come from, and what makes a key well-formed."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from benchmark.contract import Key, prf_bits, shipped

Draw = Literal["shuffle", "signed", "random", "image"]


@dataclass(frozen=True)
class PassportKey(Key):
    """Per passport layer: its name, own text ("" where it takes a part of `signature`), bits and passports.

    Bits boolean (C_out,), passports (1, C_in, H, W). statistics: of the private branch, (2, C) per batch
    normalisation behind the first passport layer, empty for V1 and for group normalisation. triggers uint8
    (n, C, H, W) with labels int64 (n,) drawn among `classes`: V3 only, else empty.
    """

    layers: tuple[str, ...]
    texts: tuple[str, ...]
    signature: str
    secret: bytes
    bits: tuple[Tensor, ...]
    statistics: tuple[Tensor, ...]
    triggers: Tensor
    labels: Tensor
    classes: int
    p_gamma: tuple[Tensor, ...] = shipped()  # by V1
    p_beta: tuple[Tensor, ...] = shipped()  # by V1

    @property
    def passports(self) -> list[tuple[Tensor, Tensor]]:
        return list(zip(self.p_gamma, self.p_beta, strict=True))


def drawn(draw: Draw, x: Tensor, rng: torch.Generator) -> Tensor:
    """One passport (1, C, H, W) out of what enters its layer for some images, (n, C, H, W).

    image: the first image's. shuffle: slot s takes an unused random channel of image s mod n. signed: the same, each
    channel times a random sign. random: uniform on (-1, 1), whatever the images.
    """
    images, channels = x.shape[:2]
    if draw == "random":
        return (torch.rand(x[:1].shape, generator=rng) * 2 - 1).to(x.device)
    if draw == "image":
        return x[:1].clone()
    order = torch.rand(images, channels, generator=rng).argsort(1)
    slot = torch.arange(channels)
    channel = order[slot % images, slot // images]
    passport = x[(slot % images).to(x.device), channel.to(x.device)][None].clone()
    if draw == "signed":
        signs = torch.randint(2, (channels, 1, 1), generator=rng) * 2 - 1
        passport *= signs.to(x.device)
    return passport


def read_config(path: str) -> dict[str, str]:
    """The layers that a TOML file gives passports: its keys are their names, its values `true` or the layer's text.

    `"blocks.1" = true` and `blocks.1 = true` are the same; false leaves a layer out; "" stands for true in what is
    returned. Raises ValueError for a file that can't be read so.
    """
    try:
        read = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path} can't be read as TOML: {error}") from None
    layers = {}
    for name, value in _flat(read):
        if not isinstance(value, str | bool) or value == "":
            raise ValueError(f"{path}: {name} must be true, false or the text of its signature, not {value!r}")
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
    if not text or not text.isascii():
        raise ValueError(f"the signature {text!r} must be ASCII text of at least one character")
    if 8 * len(text) > n:
        raise ValueError(f"the signature {text!r} needs {8 * len(text)} bits, its passport layers have {n}: shorten it")
    bits = np.unpackbits(np.frombuffer(text.encode("ascii"), dtype=np.uint8)).astype(bool)
    return torch.from_numpy(np.resize(bits, n))


def whitened_bits(
    signature: str, texts: Sequence[str], widths: Sequence[int], secret: bytes, hashed: Sequence[Tensor] = ()
) -> list[Tensor]:
    """The bits of layers with `widths` channels: their texts XOR a stream of the secret (and of `hashed` tensors).

    `signature` is written, repeated, over all layers without a text of their own. Raises ValueError where a text
    doesn't fit.
    """
    label = b"passport bits"
    if hashed:
        digest = hashlib.sha256()
        for tensor in hashed:
            digest.update(str(tuple(tensor.shape)).encode())
            digest.update(tensor.detach().cpu().float().contiguous().numpy().tobytes())
        label += digest.digest()
    common = [width for text, width in zip(texts, widths, strict=True) if not text]
    shared = iter(message_bits(signature, sum(common)).split(common) if common else ())
    written = [message_bits(text, width) if text else next(shared) for text, width in zip(texts, widths, strict=True)]
    return list((torch.cat(written) ^ prf_bits(secret, label, sum(widths))).split(list(widths)))


def malformed(key: PassportKey, private: bool) -> str | None:
    """Why no judge would read `key`; None for a well-formed one. `private`: statistics of its own are allowed."""
    passports = [*key.p_gamma, *key.p_beta]
    alike = len({len(one) for one in (key.layers, key.texts, key.bits, key.p_gamma, key.p_beta)}) == 1
    if not key.layers or len(set(key.layers)) < len(key.layers) or not alike:
        return "the key must name distinct layers, each with its text, its bits and its two passports"
    if any(p.ndim != 4 or len(p) != 1 or not bool(torch.isfinite(p).all()) for p in passports):
        return "a passport must be a finite tensor of shape (1, C_in, H, W)"
    if any(pair[0].shape != pair[1].shape for pair in key.passports):
        return "the two passports of a layer must have one shape"
    if any(bits.ndim != 1 or bits.dtype != torch.bool for bits in key.bits):
        return "the bits of a layer must be one row of booleans"
    if key.statistics and not private:
        return "V1 ships its only branch with its statistics: the key may hold none"
    if any(s.ndim != 2 or len(s) != 2 or not bool(torch.isfinite(s).all() & (s[1] > 0).all()) for s in key.statistics):
        return "the statistics of a normalisation must be finite means and positive variances, of shape (2, C)"
    if key.triggers.dtype != torch.uint8 or key.triggers.ndim != 4 or key.labels.shape != (len(key.triggers),):
        return "the triggers must be uint8 images (n, C, H, W), each with its label"
    return None
