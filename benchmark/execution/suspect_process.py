"""A process beside the court's that serves suspects with somebody else's code: it gets images and gives answers.

Both ends talk over a pipe in which nothing is unpickled: a message is a JSON header, and the bytes of each array that
the header announces. The court takes nothing of what comes back for granted.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.execution.job_context import Changed, load_source
from benchmark.execution.mishaps import Passing, mishap
from benchmark.execution.processes.foreign_models import ForeignModel, foreign_model
from benchmark.execution.processes.lease import Zygote
from benchmark.execution.walls import Walls
from benchmark.planning.job import PluginSource
from benchmark.protocol.graph import Operator
from benchmark.protocol.objects import Running, Service, ServiceFailed
from benchmark.store import artefacts
from benchmark.training.device import device_of
from benchmark.vocabulary import Access

LONGEST_HEADER = 4 << 20  # bytes
MOST_WEIGHTS = 4 << 30  # bytes of all tensors of a graph
PATIENCE = 300.0  # seconds for one answer outside of a run, where a court asks 100 images at most; a job has its limit
_DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "int64": torch.int64}
_OPENED = ("form", "where", "folder", "classes")
_ENDED = "the suspect's own process ended while it was asked"
_CAUSES: Mapping[str, type[Exception]] = {"oom": MemoryError, "killed": Passing}


def serve_suspect(pipe: Connection, device: str) -> None:
    """Answer a court until it hangs up."""
    running: Running | ForeignModel | None = None
    with suppress(EOFError, ConnectionError):
        while True:
            request = json.loads(pipe.recv_bytes())
            data = pipe.recv_bytes() if "array" in request else b""
            found: list[Tensor] = []
            reply: dict[str, Any] = {}
            try:
                on = device_of(device)
                if request["do"] == "load":
                    running = _load(request, data, on)
                elif request["do"] == "open":
                    running = foreign_model(**{one: request[one] for one in _OPENED}, device=on)
                elif running is None:
                    raise ValueError("no suspect was loaded")
                elif request["do"] == "ask":
                    x = _tensor(data, **request["array"]).to(on)
                    answer = running.ask(x, request["access"]).detach()
                    found = [answer if request["access"] == "labels" else answer.float()]
                    reply = {"array": _form(found[0])}
                else:
                    operators = running.graph(request["shape"])
                    found = [one.float() for operator in operators for one in operator.tensors if one is not None]
                    reply = {"operators": [_described(one) for one in operators]}
                reply["ok"] = True
            except BaseException as error:  # sys.exit() in a filter, too
                traceback.print_exc()
                changed = ("killed", str(error)) if isinstance(error, Changed) else None
                status, reason = changed or mishap(error) or ("crashed", f"{type(error).__name__}: {error}"[:500])
                reply, found = {"ok": False, "error": reason, "status": status}, []
            pipe.send_bytes(json.dumps(reply).encode())
            for one in found:
                pipe.send_bytes(_bytes(one))


def _load(request: Mapping[str, Any], data: bytes, device: torch.device) -> Running:
    for source in request["sources"]:
        load_source(PluginSource(**source))
    return artefacts.unpacked(data).running(device)


class RemoteService:
    """The court's end: asks a service in another process as if it were in this one.

    Every method raises ServiceFailed where the other side raised an error, ended, or answered nonsense; or took longer
    than `patience` seconds, after which it is asked no more. None: it is waited for.
    """

    def __init__(self, pipe: Connection, patience: float | None = None) -> None:
        self._pipe, self.patience = pipe, patience
        self._until: float | None = None

    def load(self, service: Service, sources: Sequence[PluginSource]) -> None:
        """Serve from now on this service, for which `sources` may be imported there. It isn't told of which job."""
        data = torch.frombuffer(bytearray(artefacts.packed("", service)), dtype=torch.uint8)
        described = [asdict(source) for source in sources]
        self._asked({"do": "load", "sources": described, "array": _form(data)}, data)

    def open(self, form: str, where: str, folder: str, classes: int) -> None:
        """Serve from now on a model of another maker, of a task of so many classes; see `foreign_model`."""
        self._asked({"do": "open", "form": form, "where": where, "folder": folder, "classes": classes})

    def ask(self, x: Tensor, access: Access) -> Tensor:
        """See `Running.ask`: one finite answer for each image."""
        request = {"do": "ask", "access": access, "array": _form(x.float())}
        form = self._asked(request, x.float()).get("array")
        dtype, dimensions = ("int64", 1) if access == "labels" else ("float32", None)
        answer = self._array(form, dtype, MOST_WEIGHTS)
        if len(answer.shape) != (dimensions or max(2, answer.dim())) or len(answer) != len(x):
            raise ServiceFailed(f"the suspect answers {len(x)} images with the shape {tuple(answer.shape)}")
        if not bool(torch.isfinite(answer).all()):
            raise ServiceFailed("the suspect answers with NaN or infinity")
        return answer.to(x.device)

    def graph(self, shape: Sequence[int]) -> list[Operator]:
        """See `Running.graph`; the tensors are float32 on the CPU."""
        reply, left, found = self._asked({"do": "graph", "shape": list(shape)}), MOST_WEIGHTS, []
        try:
            described = [(str(one["name"]), list(one["tensors"])) for one in reply["operators"]]
        except (KeyError, TypeError) as error:
            raise ServiceFailed("the suspect's process sent no graph") from error
        for name, forms in described:
            tensors = [None if form is None else self._array(form, "float32", left) for form in forms]
            left -= sum(4 * one.numel() for one in tensors if one is not None)
            found.append(Operator(name, tuple(tensors)))
        return found

    def _asked(self, request: Mapping[str, Any], array: Tensor | None = None) -> dict[str, Any]:
        try:
            self._pipe.send_bytes(json.dumps(request).encode())
            if array is not None:
                self._pipe.send_bytes(_bytes(array))
            self._until = None if self.patience is None else time.monotonic() + self.patience
            reply = json.loads(self._received(LONGEST_HEADER))
            if reply["ok"] is True:
                return dict(reply)
            reason, cause = str(reply["error"]), _CAUSES.get(str(reply.get("status")))
        except (EOFError, OSError):
            raise ServiceFailed(_ENDED) from Passing(_ENDED)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ServiceFailed("the suspect's process sent something that is no answer") from error
        raise ServiceFailed(reason) from (cause(reason) if cause else None)

    def _received(self, most: int) -> bytes:
        """The next message, of at most so many bytes."""
        left = None if self._until is None else max(0.0, self._until - time.monotonic())
        if not self._pipe.poll(left):
            self._pipe.close()  # what comes later would be taken for the answer to another question
            raise ServiceFailed(f"it took longer than {self.patience:g} s for one answer")
        return self._pipe.recv_bytes(most)

    def _array(self, form: Any, dtype: str, most: int) -> Tensor:
        """The next array, of the form that was announced, and of at most `most` bytes."""
        try:
            shape = [int(one) for one in form["shape"]]
            size = math.prod(shape) * _DTYPES[dtype].itemsize
            if form["dtype"] != dtype or min(shape, default=0) < 0 or not size <= most or len(shape) > 8:
                raise ValueError("another form than was asked for")
            return _tensor(self._received(size), dtype, shape)
        except (EOFError, OSError):
            raise ServiceFailed(_ENDED) from Passing(_ENDED)
        except (ValueError, TypeError, KeyError, RuntimeError) as error:
            raise ServiceFailed(f"the suspect's process sent an array that is none: {error}") from error


@contextmanager
def suspect_process(device: str, around: Walls | None) -> Iterator[RemoteService]:
    """A process for suspects outside of a run, within these walls; it has PATIENCE for each answer."""
    with tempfile.TemporaryDirectory(prefix="bench-suspect-") as folder:
        zygote = Zygote([__name__], Path(folder) / "zygote.log")
        try:
            lease = zygote.fork(f"{__name__}:serve_suspect", {"device": device}, Path(folder) / "suspect.log", around)
            try:
                yield RemoteService(lease.pipe, PATIENCE)
            finally:
                lease.end()
        finally:
            zygote.close()


def _form(tensor: Tensor) -> dict[str, Any]:
    return {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape)}


def _described(operator: Operator) -> dict[str, Any]:
    tensors = [None if one is None else {**_form(one), "dtype": "float32"} for one in operator.tensors]
    return {"name": operator.name, "tensors": tensors}


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()


def _tensor(data: bytes, dtype: str, shape: Sequence[int]) -> Tensor:
    return torch.from_numpy(np.frombuffer(bytearray(data), dtype).reshape(tuple(shape)))
