"""A plug-in file with builders of nets that behave oddly, and artefacts of services that need them."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmark.architectures.net import Net
from benchmark.digest.code_digest import source_hash
from benchmark.planning.job import PluginSource
from benchmark.protocol.objects import Service
from benchmark.store import artefacts

SOURCE = '''
import gc, os, sys
from contextlib import suppress
from dataclasses import dataclass
import torch
from torch import nn
from benchmark.contract import Attack, Thief, builder

class Odd(nn.Module):
    def __init__(self, way):
        super().__init__()
        self.way, self.scale = way, nn.Parameter(torch.ones(10))

    def spec(self):
        return {"builder": "odd", "way": self.way}

    def forward(self, x):
        scores = torch.zeros(len(x), 10)
        scores[:, 7] = self.scale[7]
        if self.way == "raise":
            raise KeyError("no such image")
        if self.way == "exit":
            os._exit(3)
        if self.way == "leave":
            sys.exit(3)
        if self.way == "memory":
            raise MemoryError
        if self.way == "nan":
            return scores * float("nan")
        if self.way == "look":
            for path in os.environ["ODD_PATHS"].split(os.pathsep):
                with suppress(OSError), open(path, "rb") as file:
                    scores[:, 7] += len(file.read(1))
            scores[:, 8] = 1.5
        if self.way == "fewer":
            return scores[1:]
        return scores

@builder("odd")
def odd(way):
    return Odd(way)

@dataclass(frozen=True)
class Wrap(Attack):
    """Wraps the model in a net of its own."""

    name = "odd-wrap"
    family = "wrapper"
    kind = "removal"

    def run(self, thief: Thief):
        return odd("seven")
'''


def artefact(folder: Path, way: str, job: str = "a") -> tuple[Path, str, PluginSource]:
    """A stored service whose net needs the builder of a plug-in file in `folder`: path, SHA-256, and that source."""
    plugin = folder / "odd_nets.py"
    plugin.write_text(SOURCE)
    path = folder / f"{way}.safetensors"
    sha256 = artefacts.write(path, job, Service(Net({"builder": "odd", "way": way}, {"scale": torch.ones(10)})))
    return path, sha256, PluginSource(str(plugin), "Wrap", source_hash(plugin), trusted=False)
