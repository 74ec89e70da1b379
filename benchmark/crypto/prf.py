"""Labels, bits and normal numbers that follow from a secret: HMAC-SHA256 in counter mode, so nobody can choose them."""

from __future__ import annotations

import hmac

import numpy as np
import torch
from torch import Tensor

_BLOCK = 32  # bytes of one SHA-256 digest
_QUANTILES = 2**16  # of the normal law: the outermost lie 4.33 standard deviations out


def prf_bytes(secret: bytes, message: bytes, n: int, start: int = 0) -> bytes:
    """`n` bytes of the stream block_i = HMAC-SHA256(secret, message || i), i = `start`, `start` + 1, ...

    The counter i is 8 bytes, big-endian. The message says what the bytes are for.
    """
    keyed = hmac.new(secret, message, "sha256")  # once: the message may hold many images
    blocks = []
    for index in range(start, start + -(-n // _BLOCK)):
        block = keyed.copy()
        block.update(index.to_bytes(8, "big"))
        blocks.append(block.digest())
    return b"".join(blocks)[:n]


def prf_bits(secret: bytes, message: bytes, n: int) -> Tensor:
    """`n` fair bits, boolean (n,): the first bits of the stream, the highest bit of each byte first."""
    stream = np.frombuffer(prf_bytes(secret, message, -(-n // 8)), dtype=np.uint8)
    return torch.from_numpy(np.unpackbits(stream)[:n].astype(bool))


def prf_labels(secret: bytes, message: bytes, n: int, classes: int) -> Tensor:
    """`n` independent uniform class numbers, int64 (n,).

    The stream is read as bytes, or as big-endian 16-bit words for more than 256 classes. Words at or above the largest
    multiple of `classes` are rejected, the rest are taken modulo `classes`, so that all classes are equally likely.
    Raises ValueError for more than 65,536 classes.
    """
    if not 1 <= classes <= 2**16:
        raise ValueError(f"labels are drawn for 1 to 65536 classes, not {classes}")
    width = 1 if classes <= 2**8 else 2
    limit = 2 ** (8 * width) // classes * classes
    drawn, start = np.empty(0, dtype=np.int64), 0
    while len(drawn) < n:
        blocks = -(-(n - len(drawn)) * width // _BLOCK)
        stream = prf_bytes(secret, message, blocks * _BLOCK, start)
        words = np.frombuffer(stream, dtype=f">u{width}").astype(np.int64)
        drawn = np.concatenate([drawn, words[words < limit] % classes])
        start += blocks
    return torch.from_numpy(drawn[:n])


def prf_normals(secret: bytes, message: bytes, n: int) -> Tensor:
    """`n` independent standard normal numbers, float32 (n,): 65,536 quantiles, all equally likely."""
    ranks = prf_labels(secret, message, n, _QUANTILES)
    return torch.special.ndtri((ranks + 0.5) / _QUANTILES).float()


def secret(rng: torch.Generator, length: int = 32) -> bytes:
    """`length` secret bytes from a party's stream."""
    return bytes(torch.randint(256, (length,), generator=rng).tolist())
