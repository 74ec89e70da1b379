"""Random streams that only whoever holds a secret can draw: those of owner, court and fresh keys."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

import numpy as np
import torch

from benchmark.crypto.prf import prf_bytes
from benchmark.identity import canonical

SECRET_BYTES = 32
_WORDS = 624  # of 32 bits: the whole state of the Mersenne Twister (Matsumoto & Nishimura 1998)
_FIRST = 24  # bytes before them in the state that torch saves


@dataclass(frozen=True)
class SecretStreams:
    """Streams named as public ones are, by (replicate, role, plug-in, task, ...), and keyed by a secret of 32 bytes.

    The key of each is HMAC-SHA256 of its name under the secret: knowing one tells nothing of another.
    """

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise ValueError(f"a secret has {SECRET_BYTES} bytes, not {len(self.secret)}")

    def key(self, *parts: object) -> bytes:
        """The 32 bytes that decide the stream of that name, and no other."""
        return hmac.digest(self.secret, canonical(list(parts)).encode(), "sha256")

    def stream(self, *parts: object) -> torch.Generator:
        return keyed_generator(self.key(*parts))

    def seed(self, *parts: object) -> int:
        """A seed in [0, 2^63) of that name, for a generator that takes no more."""
        return int.from_bytes(self.key(*parts)[:8], "big") >> 1


def keyed_generator(key: bytes) -> torch.Generator:
    """A generator on the CPU whose whole state follows from `key`.

    `Generator.manual_seed` uses 32 bits of its seed: a thief could try them all.
    """
    rng = torch.Generator().manual_seed(0)
    state = rng.get_state()
    words = np.frombuffer(prf_bytes(key, b"stream", 4 * _WORDS), dtype=">u4").astype("<u8")
    state[_FIRST : _FIRST + 8 * _WORDS] = torch.from_numpy(words.view(np.uint8))
    return rng.set_state(state)
