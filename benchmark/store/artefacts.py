"""Services, keys and answers at rest: safetensors with a JSON header. Nothing that is loaded can run code."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from benchmark import atomic
from benchmark.architectures.net import Net
from benchmark.protocol.answers import Answers
from benchmark.protocol.objects import Key, Service

SECRETS = "keys"  # the folder of a store that nobody but its keyholders enters


class DamagedArtefact(Exception):
    """An artefact is missing, or is not what was written. `job` is the job that can make it again."""

    def __init__(self, job: str, reason: str) -> None:
        super().__init__(reason)
        self.job = job


def _pack_net(net: Net, prefix: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    tensors.update({f"{prefix}.{name}": tensor for name, tensor in net.state.items()})
    return {"net": prefix, "spec": net.spec}


def _unpack_net(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Net:
    prefix = header["net"] + "."
    return Net(header["spec"], {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})


def write(path: Path, job: str, value: Service | Key | Answers) -> str:
    """Write atomically, what is no service for its owner's eyes alone; returns the file's SHA-256."""
    tensors: dict[str, Tensor] = {}
    header: dict[str, Any]
    if isinstance(value, Service):
        header = {
            "net": _pack_net(value.net, "net", tensors),
            "filters": [_pack_net(f, f"filter{i}", tensors) for i, f in enumerate(value.filters)],
        }
    else:
        header = {f.name: _pack_field(f.name, getattr(value, f.name), tensors) for f in fields(value)}
    # one entry only: safetensors writes several in a random order, and equal artefacts must have equal bytes
    data = save(tensors, {"artefact": json.dumps({"job": job, "type": type(value).__name__, "header": header})})
    _put(path, data, secret=not isinstance(value, Service))
    return hashlib.sha256(data).hexdigest()


def _put(path: Path, data: bytes, *, secret: bool) -> None:
    """Write a file; where it lies in a store's folder of secrets, nobody else enters that folder."""
    if secret and path.parent.parent.name == SECRETS:
        path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic.write(path, data, secret=secret)


def settle(work: Path, path: Path, digest: str, *, secret: bool) -> None:
    """Move what a party made out of the working folder, where others may write, into its place.

    Raises ValueError unless it is a plain file with this SHA-256.
    """
    try:
        with open(work, "rb", opener=_plainly) as file:
            data = file.read()
    except OSError as error:
        raise ValueError(f"what the job made can't be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{work.name} is not what the job made: its checksum differs")
    _put(path, data, secret=secret)
    work.unlink(missing_ok=True)


def _plainly(path: str, flags: int) -> int:
    """Open a file, but no link and nothing that blocks. Raises OSError."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is no plain file", path)


def _pack_field(name: str, value: Any, tensors: dict[str, Tensor]) -> dict[str, Any]:
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().contiguous()
        return {"tensor": name}
    if isinstance(value, Net):
        return _pack_net(value, name, tensors)
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, tuple) and any(isinstance(item, Tensor | Net | bytes) for item in value):
        return {"tuple": [_pack_field(f"{name}.{i}", item, tensors) for i, item in enumerate(value)]}
    if isinstance(value, str | int | float | bool | tuple):
        return {"value": value}
    raise TypeError(f"key field {name} is a {type(value).__name__}: use a tensor, scalar, str, bytes, Net or tuple")


def _unpack_field(entry: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Any:
    if "tensor" in entry:
        return tensors[entry["tensor"]]
    if "net" in entry:
        return _unpack_net(entry, tensors)
    if "bytes" in entry:
        return bytes.fromhex(entry["bytes"])
    if "tuple" in entry:
        return tuple(_unpack_field(item, tensors) for item in entry["tuple"])
    return tuple(entry["value"]) if isinstance(entry["value"], list) else entry["value"]


def _read(path: Path, job: str, checksum: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        if hashlib.sha256(path.read_bytes()).hexdigest() != checksum:
            raise DamagedArtefact(job, f"{path.name} is damaged: its checksum differs from its record")
        with safe_open(path, "pt") as file:
            artefact = json.loads(file.metadata()["artefact"])
            if artefact["job"] != job:
                raise DamagedArtefact(job, f"{path.name} belongs to another job")
            return artefact["header"], {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise DamagedArtefact(job, f"{path.name} can't be read: {error}") from error


def read_service(path: Path, job: str, checksum: str) -> Service:
    """Raises DamagedArtefact unless the file's SHA-256 is `checksum`."""
    header, tensors = _read(path, job, checksum)
    return Service(_unpack_net(header["net"], tensors), tuple(_unpack_net(f, tensors) for f in header["filters"]))


def read_answers(path: Path, job: str, checksum: str) -> Answers:
    """Raises DamagedArtefact unless the file's SHA-256 is `checksum`."""
    header, tensors = _read(path, job, checksum)
    return Answers(_unpack_field(header["outputs"], tensors))


def read_key(path: Path, job: str, checksum: str, key_type: type[Key]) -> Key:
    """A key of the scheme's own type. Raises DamagedArtefact unless the file's SHA-256 is `checksum`."""
    header, tensors = _read(path, job, checksum)
    return key_type(**{name: _unpack_field(entry, tensors) for name, entry in header.items()})
