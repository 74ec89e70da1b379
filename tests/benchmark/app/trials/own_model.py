"""A user's quarter of an hour: a library's net on 500 images of CIFAR-10, marked, stolen by another tool, and verified
three ways.

`python tests/benchmark/app/trials/own_model.py --data DATA --host torchvision:resnet18`, where DATA/cifar10 is packed
as the tests have it. The commands are those of docs/own-model.md, in processes of their own; what the thief does is
plain torch. Every draw follows from a seed, so that it can be repeated. Prints one row of a table; `--records FILE`
adds the verdicts to a file, one in a line, as `bench verify --json` gives them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils import prune

sys.path.extend(str(Path(__file__).parents[4] / room) for room in (".", "tests", "tests/support"))
sys.path.append(str(Path(__file__).parents[1] / "verify"))

from own_pictures import cifar10, class_folders
from suspect_forms import Server, fill, save

from benchmark.architectures.hosts import LibraryNet
from benchmark.architectures.net import build

SCHEME = "adi(mode=finetune,n=40,k=16,epochs=3,lr=0.02)"  # for a net that learns at that rate
EACH, CLASSES, SIZE, BATCH = 50, 10, 64, 16


def photographs(data: Path, folder: Path) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """500 images in class folders, and as many others, with labels: the host's past, and the thief's."""
    class_folders(*cifar10(data, 0, EACH), folder)
    past, thief = cifar10(data, EACH, 5 * EACH), cifar10(data, 5 * EACH, 5 * EACH + 10)
    return as_input(past[0]), torch.from_numpy(past[1]), as_input(thief[0]), torch.from_numpy(thief[1])


def as_input(images: np.ndarray) -> Tensor:
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    return F.interpolate(x, SIZE, mode="bilinear", antialias=True)


def trained(net: nn.Module, x: Tensor, y: Tensor, lr: float, epochs: int = 3) -> nn.Module:
    """Plain torch, as anybody trains."""
    optimiser = torch.optim.Adam(net.parameters(), lr)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            F.cross_entropy(net.train()(x[batch]), y[batch]).backward()
            optimiser.step()
    return net.eval()


def stolen(net: LibraryNet, x: Tensor, y: Tensor) -> nn.Module:
    """30 % of the weights pruned by torch.nn.utils.prune, then fine-tuned on 100 images of the thief's."""
    layers = [(layer, "weight") for layer in net.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    prune.global_unstructured(layers, pruning_method=prune.L1Unstructured, amount=0.3)
    trained(net, x, y, 1e-4)
    for layer, name in layers:
        prune.remove(layer, name)
    return net


def bench(*words: str, folder: Path) -> str:
    command = [sys.executable, "-c", "from watermark_bench import main; main()", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


class Running:
    """A net as the test server asks it."""

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    def ask(self, x: Tensor, _: str) -> Tensor:
        with torch.no_grad():
            return self.net(x)  # type: ignore[no-any-return]

    @property
    def service(self) -> Running:
        return self

    def running(self) -> Running:
        return self


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--host", default="torchvision:resnet18")
    parser.add_argument("--scheme", default=SCHEME)
    parser.add_argument("--records", type=Path)
    args = parser.parse_args()
    torch.manual_seed(0)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        past, past_labels, thief, thief_labels = photographs(args.data.absolute(), folder / "photos")
        library, name = args.host.split(":")
        spec = {"builder": library, "name": name, "classes": CLASSES, "size": SIZE}
        host = trained(build(spec), past, past_labels, 1e-3)
        assert isinstance(host, LibraryNet)
        save_file(host.net.state_dict(), folder / "host.safetensors")
        marking = time.monotonic()
        said = bench("embed", "--scheme", args.scheme, "--host", args.host, "--weights", "host.safetensors",
                     "--data", f"photos:{SIZE}", "--out", "mine", "--seed", "0", folder=folder)  # fmt: skip
        marking = time.monotonic() - marking
        print(said, file=sys.stderr)
        net = build(spec)
        assert isinstance(net, LibraryNet)
        net.net.load_state_dict(load_file(folder / "mine" / "state_dict.safetensors"))
        copy = Running(stolen(net, thief, thief_labels))
        save(copy.net, folder / "copy.onnx", thief[:2])
        asking = time.monotonic()
        verdicts = [bench("verify", "--json", "--key", "mine", "--suspect", "copy.onnx", folder=folder)]
        bench("ask", "--key", "mine", "--out", "questions", folder=folder)
        fill(folder / "questions", copy)
        answers = ("--answers", "questions/answers.csv")
        verdicts.append(bench("verify", "--json", "--key", "mine", *answers, folder=folder))
        with Server(copy) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = ("--suspect", server.url, "--rate", "1000")
            verdicts.append(bench("verify", "--json", "--key", "mine", *address, folder=folder))
            server.shutdown()
        asking = time.monotonic() - asking
    found = [json.loads(one) for one in verdicts]
    if args.records:
        with args.records.open("a") as file:
            file.writelines(json.dumps({"host": args.host, **one}) + "\n" for one in found)
    used = sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    told = [f"{one['verdict']}, {one['evidence']['total']} of {one['evidence']['n']}" for one in found]
    clocks = [f"{one:.0f} s" for one in (marking, asking, time.monotonic() - start, used)]
    print("| " + " | ".join([f"`{args.host}`", *told, *clocks]) + " |")


if __name__ == "__main__":
    main()
