"""One model in every form in which a suspect is asked, and an owner's folder, as `bench embed` leaves it."""

from __future__ import annotations

import base64
import io
import json
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import torch
from bench import bench_here
from PIL import Image
from torch import Tensor, nn

from benchmark.app.card import Card, CardProfile, CardScheme, CardUtility, write_card
from benchmark.app.verify.pictures import png
from benchmark.data.splits import as_bytes
from benchmark.digest.code_digest import source_hash
from benchmark.planning.profile import load_profile
from benchmark.plugins.registry import Registry
from benchmark.plugins.selection import select_schemes
from benchmark.store import artefacts

DIGITS = torch.rand(2, 1, 16, 16)
Reply = tuple[int, Any]


def written(folder: Path, label: str, service: Any, key: Any, context: Any) -> Path:
    """A folder with model, key and card."""
    (setting,), profile = select_schemes(label, Registry.discover()), load_profile("quick").track([context.task.kind])
    assert profile is not None
    stage = setting.stages[0]
    hashes = {
        f"{name}.safetensors": artefacts.write(folder / f"{name}.safetensors", "embed", value)
        for name, value in (("model", service), ("key", key))
    }
    scheme = CardScheme(stage.declaration.name, setting.label, stage.parameters, source_hash(stage.declaration.source))
    said = CardProfile(profile.name, profile.world(), profile.nulls)
    use = CardUtility(0.9, "share of right answers")
    write_card(folder, Card(scheme, said, context.task.data_hash(), use, hashes, hashes["key.safetensors"]))
    return folder


def save(net: nn.Module, path: Path, x: Tensor = DIGITS, *, any_number: bool = True) -> Path:
    """The net as another library's file, of the form that the ending names."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if path.suffix == ".pt":
            torch.jit.trace(net, x).save(path)
        elif path.suffix == ".pt2":
            sizes = ({0: torch.export.Dim("images")},) if any_number else None
            torch.export.save(torch.export.export(net, (x,), dynamic_shapes=sizes), path)
        else:
            axes = {"x": {0: "images"}} if any_number else None
            torch.onnx.export(net, (x,), path, dynamo=False, input_names=["x"], dynamic_axes=axes)
    return path


class Server(ThreadingHTTPServer):
    """Answers with `net`: labels, probabilities where `shares` is set, or images.

    `mood` may change an answer, (status, body), by the number of the request, from 1 on.
    """

    daemon_threads = True

    def __init__(self, net: Any, *, shares: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.net, self.shares = net, shares
        self.mood: Callable[[int, dict[str, Any]], Reply] = lambda number, answer: (200, answer)
        self.drip = 0.0  # seconds between two bytes of an answer
        self.rest = "0"  # seconds, or a date, before which a busy server is not asked again
        self.requests, self.headers, self.images = 0, dict[str, str](), list[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/classify"

    def answer(self, x: Tensor) -> dict[str, Any]:
        outputs = self.net.ask(x, "outputs")
        if outputs.dim() == 4:
            return {"images": [base64.b64encode(png(one)).decode() for one in as_bytes(outputs)]}
        return {"probabilities": outputs.softmax(1).tolist()} if self.shares else {"labels": outputs.argmax(1).tolist()}


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.server.requests += 1
        self.server.headers = dict(self.headers)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.images = asked["images"]
        x = torch.stack([read_png(io.BytesIO(base64.b64decode(one))) for one in self.server.images])
        answer = self.server.answer(x)
        status, body = self.server.mood(self.server.requests, answer)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", self.server.url)
        if status == 410:  # and what follows is no chunk
            self.send_header("Transfer-Encoding", "chunked")
        if status == 429:
            self.send_header("Retry-After", self.server.rest)
        self.end_headers()
        said = body if isinstance(body, bytes) else json.dumps(body).encode()
        if not self.server.drip:
            self.wfile.write(said)
            return
        with suppress(OSError):  # whoever asked has gone
            for byte in said * 100:
                self.wfile.write(bytes([byte]))
                sleep(self.server.drip)

    def log_message(self, *_: object) -> None:
        pass


def names(folder: Path) -> list[str]:
    """Of the images in a folder of questions."""
    return sorted(path.name for path in folder.glob("*.png"))


def read_png(file: Any) -> Tensor:
    """Float (C, H, W) in [0, 1]."""
    pixels = torch.from_numpy(np.array(Image.open(file), dtype=np.float32) / 255)
    return pixels[None] if pixels.dim() == 2 else pixels.permute(2, 0, 1)


def images(folder: Path) -> Tensor:
    """Float (N, C, H, W) in [0, 1], in the order of the names."""
    return torch.stack([read_png(folder / name) for name in names(folder)])


def fill(folder: Path, net: Any, change: Callable[[list[str]], Sequence[str]] = lambda rows: rows) -> Path:
    """The table with what `net.ask` answers."""
    table = folder / "answers.csv"
    head = table.read_text().splitlines()[0]
    shares = net.ask(images(folder), "outputs").softmax(1)
    rows = [f"{name},{int(one.argmax())}" for name, one in zip(names(folder), shares, strict=True)]
    if ",p0," in head:
        rows = [",".join([row, *(f"{p:.6f}" for p in one)]) for row, one in zip(rows, shares.tolist(), strict=True)]
    table.write_text("\n".join([head, *change(rows), ""]))
    return table


def answer_all(key: Sequence[str], net: Any, folder: Path) -> list[str]:
    """`--answers` of all that a court asks a model in writing: it may go on by what was answered."""
    words = list[str]()
    while True:
        out = folder / f"questions-{len(words)}"
        code, _, error = bench_here("ask", *key, *words, "--out", str(out))
        if code:
            assert "has nothing more to ask" in error, error
            return words
        words += ["--answers", str(fill(out, net))]
