"""Services, keys and answers at rest: safetensors with a JSON header. Nothing that is loaded can run code."""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypedDict

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from benchmark.architectures.net import Net
from benchmark.description import read
from benchmark.errors import BenchError
from benchmark.files import MOST_TENSORS, content, json_value, tensor_header, write_whole
from benchmark.protocol.answers import Answers
from benchmark.protocol.objects import Key, Service
from benchmark.store.kept import Kept

SECRETS = "keys"  # the folder of a store that nobody but its keyholders enters
_MOST_KEPT = 128 << 20  # bytes of files that a process keeps in memory
_TOO_LARGE = f"a model's or a key's file holds at most {MOST_TENSORS >> 30} GiB"


_kept: Kept[bytes] = Kept(_MOST_KEPT, len)  # what was read last, by its SHA-256: bytes, which no job can change


class DamagedArtefact(Exception):
    """An artefact is missing, or is not what was written. `job` is the job that can make it again."""

    def __init__(self, job: str, reason: str) -> None:
        super().__init__(reason)
        self.job = job


class PackedNet(TypedDict):
    """A net in a header: the prefix of its tensors, and its spec."""

    net: str
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class PackedService:
    """A service in a header. `answer_filters` came later than the first boards."""

    net: PackedNet
    filters: list[PackedNet]
    answer_filters: list[PackedNet] = field(default_factory=list)


@dataclass(frozen=True)
class ArtefactHeader:
    """What the header of a file says beside its tensors: who made it, its type, and how its fields are packed."""

    job: str
    type: str
    header: Mapping[str, Mapping[str, Any] | list[PackedNet]]


def _pack_net(net: Net, prefix: str, tensors: dict[str, Tensor]) -> dict[str, Any]:
    tensors.update({f"{prefix}.{name}": tensor for name, tensor in net.state.items()})
    return {"net": prefix, "spec": net.spec}


def _unpack_net(packed: PackedNet, tensors: Mapping[str, Tensor]) -> Net:
    prefix = packed["net"] + "."
    return Net(packed["spec"], {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})


def write(path: Path, job: str, value: Service | Key | Answers, *, lasting: bool = True) -> str:
    """Write atomically, what is no service for its owner's eyes alone; returns the file's SHA-256.

    lasting: it is to outlive a crash of the machine. Raises ValueError where the file could not be read again: too
    large, or a field that its header can't hold.
    """
    data = packed(job, value)
    _put(path, data, secret=not isinstance(value, Service), lasting=lasting)
    return hashlib.sha256(data).hexdigest()


def packed(job: str, value: Service | Key | Answers) -> bytes:
    """The content of a file that says it is of `job`. Raises ValueError as `write` does."""
    tensors: dict[str, Tensor] = {}
    header: dict[str, Any]
    if isinstance(value, Service):
        header = {
            "net": _pack_net(value.net, "net", tensors),
            "filters": [_pack_net(f, f"filter{i}", tensors) for i, f in enumerate(value.filters)],
            "answer_filters": [_pack_net(f, f"behind{i}", tensors) for i, f in enumerate(value.answer_filters)],
        }
    else:
        header = {f.name: _pack_field(f.name, getattr(value, f.name), tensors) for f in fields(value)}
    # one entry only: safetensors writes several in a random order, and equal artefacts must have equal bytes
    data = save(tensors, {"artefact": json.dumps({"job": job, "type": type(value).__name__, "header": header})})
    if len(data) > MOST_TENSORS:
        raise ValueError(f"a {type(value).__name__} is too large: {_TOO_LARGE}")
    read_header(data)
    return data


def _put(path: Path, data: bytes, *, secret: bool, lasting: bool = True) -> None:
    """Write a file; where it lies in a store's folder of secrets, nobody else enters that folder."""
    if secret and path.parent.parent.name == SECRETS:
        path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, data, secret=secret, lasting=lasting)


def settle(work: Path, path: Path, digest: str, *, secret: bool) -> None:
    """Move what a party made out of the working folder, where others may write, into its place.

    Raises ValueError unless it is a plain file with this SHA-256, no larger than a model's may be.
    """
    try:
        data = content(work, MOST_TENSORS, follow=False)
    except OSError as error:
        raise ValueError(f"what the job made can't be read: {error}") from error
    except ValueError as error:
        raise ValueError(f"what the job made can't be read: {_TOO_LARGE}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"{work.name} is not what the job made: its checksum differs")
    _put(path, data, secret=secret)
    _kept.get(digest, lambda: data)  # it is asked next
    work.unlink(missing_ok=True)


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


def _unpack_field(entry: Any, tensors: Mapping[str, Tensor]) -> Any:
    match entry:
        case {"tensor": str(name)} if name in tensors:
            return tensors[name]
        case {"net": _}:
            return _unpack_net(read(PackedNet, entry), tensors)
        case {"bytes": str(digits)}:
            return bytes.fromhex(digits)
        case {"tuple": list(items)}:
            return tuple(_unpack_field(item, tensors) for item in items)
        case {"value": value}:
            return tuple(value) if isinstance(value, list) else value
    raise ValueError(f"a field is packed in an unknown way: {reprlib.repr(entry)}")


def read_header(data: bytes) -> ArtefactHeader:
    """What the file that holds `data` says it is. Raises ValueError or BenchError where it is no artefact."""
    told = tensor_header(data).get("__metadata__")
    if not isinstance(told, dict) or not isinstance(text := told.get("artefact"), str):
        raise ValueError("it has no artefact inside")
    return read(ArtefactHeader, json_value(text.encode()))


def _read(path: Path, job: str, checksum: str) -> tuple[ArtefactHeader, dict[str, Tensor]]:
    def checked() -> bytes:
        data = content(path, MOST_TENSORS)  # read once: what is checked is what is used
        if hashlib.sha256(data).hexdigest() != checksum:
            raise DamagedArtefact(job, f"{path.name} is damaged: its checksum differs from its record")
        return data

    try:
        data = _kept.get(checksum, checked)
        if (artefact := read_header(data)).job != job:
            raise DamagedArtefact(job, f"{path.name} belongs to another job")
        return artefact, load(data)
    except (OSError, ValueError, SafetensorError, BenchError) as error:
        raise DamagedArtefact(job, f"{path.name} can't be read: {error}") from error


def read_service(path: Path, job: str, checksum: str) -> Service:
    """Raises DamagedArtefact unless the file's SHA-256 is `checksum` and it holds a service."""
    artefact, tensors = _read(path, job, checksum)
    try:
        return _service(artefact, tensors)
    except BenchError as error:
        raise DamagedArtefact(job, f"{path.name} holds no service: {error}") from error


def unpacked(data: bytes) -> Service:
    """The service that `packed` made bytes of."""
    return _service(read_header(data), load(data))


def _service(artefact: ArtefactHeader, tensors: Mapping[str, Tensor]) -> Service:
    found = read(PackedService, artefact.header)
    front, behind = (tuple(_unpack_net(one, tensors) for one in each) for each in (found.filters, found.answer_filters))
    return Service(_unpack_net(found.net, tensors), front, behind)


def read_answers(path: Path, job: str, checksum: str) -> Answers:
    """Raises DamagedArtefact unless the file's SHA-256 is `checksum` and it holds answers."""
    artefact, tensors = _read(path, job, checksum)
    try:
        return Answers(_unpack_field(artefact.header.get("outputs"), tensors))
    except (ValueError, BenchError) as error:
        raise DamagedArtefact(job, f"{path.name} holds no answers: {error}") from error


def read_key(path: Path, job: str, checksum: str, key_type: type[Key]) -> Key:
    """A key of the scheme's own type. Raises DamagedArtefact unless the file's SHA-256 is `checksum` and it is one."""
    artefact, tensors = _read(path, job, checksum)
    if artefact.header.keys() != {one.name for one in fields(key_type)}:
        raise DamagedArtefact(job, f"{path.name} has not the fields of a {key_type.__name__}")
    try:
        return key_type(**{name: _unpack_field(entry, tensors) for name, entry in artefact.header.items()})
    except (ValueError, BenchError) as error:
        raise DamagedArtefact(job, f"{path.name} can't be read: {error}") from error
