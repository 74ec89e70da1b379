"""The secret of a store: 32 bytes by which keys and the court's draws can't be drawn again from public names."""

from __future__ import annotations

import hashlib
import os
import secrets
from contextlib import suppress
from pathlib import Path

from benchmark.errors import BenchError
from benchmark.files import regular

BYTES = 32


def secret_path(store: Path) -> Path:
    return store / "keys" / "secret"


def read_secret(path: Path) -> bytes:
    """The secret in a file: 64 hexadecimal digits. Raises BenchError."""
    try:
        with regular(path) as file:
            secret = bytes.fromhex(file.read(1000).decode("ascii").strip())
    except OSError as error:
        raise BenchError(f"the secret {path} can't be read: {error.strerror}") from error
    except ValueError:
        secret = b""
    if len(secret) != BYTES:
        raise BenchError(f"{path} holds no secret: it must be {2 * BYTES} hexadecimal digits")
    return secret


def store_secret(store: Path, given: bytes | None = None) -> bytes:
    """The secret of a store, drawn from the system's randomness (or `given`) where it has none yet.

    Raises BenchError where the store has another than the one given.
    """
    path = secret_path(store)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _draw(path, given or secrets.token_bytes(BYTES))
    except OSError as error:
        raise BenchError(f"the store {store} can't be used ({error.strerror}): choose another --results") from error
    secret = read_secret(path)
    if given not in (None, secret):  # it had none when the plan was made
        raise BenchError(f"another run has just drawn the secret of the store {store}: run the same command again")
    return secret


def _draw(path: Path, secret: bytes) -> None:
    """Put a secret there, whole and for its owner's eyes alone; of several that try at once the first wins."""
    new = path.with_name(f".secret.{os.getpid()}.tmp")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(f"{secret.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)


def known_secret(store: Path) -> bytes | None:
    """The secret of a store that has one; nothing is written."""
    path = secret_path(store)
    return read_secret(path) if path.exists() else None


def digest_of(secret: bytes) -> str:
    """What a job's payload names a secret by: its SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(secret).hexdigest()
