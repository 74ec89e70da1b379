"""Are innocents accused who fine-tuned the same checkpoint? `bench calibrate` on a host with weights.

`python tests/benchmark/app/trials/shared_ancestors.py --data DATA --out FOLDER`, where DATA/cifar10 is packed as the
tests have it. The ancestor is a small convolutional net that learnt 6,000 images of CIFAR-10; owner and innocents
fine-tune it on 400 others, or train the same architecture on them from scratch. The page lies in
FOLDER/results/calibrate-ancestors.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

sys.path.extend(str(Path(__file__).parents[4] / room) for room in (".", "tests/support"))

from own_pictures import cifar10, class_folders

from benchmark.architectures.net import build

SCHEMES = "adi(mode=finetune,n=40,k=16,epochs=4,lr=0.02),uchida(bits=32,epochs=4,lr=0.02),provenance"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True)
    class_folders(*cifar10(args.data.absolute(), 0, 50), args.out / "photos")
    images, labels = cifar10(args.data.absolute(), 50, 650)
    x, y = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(labels)
    torch.manual_seed(0)
    ancestor = build({"builder": "convnet", "classes": 10, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]})
    optimiser = torch.optim.SGD(ancestor.parameters(), 0.05, momentum=0.9)
    for _ in range(4):
        for batch in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            F.cross_entropy(ancestor(x[batch]), y[batch]).backward()
            optimiser.step()
    save_file(ancestor.state_dict(), args.out / "ancestor.safetensors")
    words = ("calibrate", "--host", "convnet", "--weights", "ancestor.safetensors",
             "--data-root", ".", "--data", "folder:photos:32", "--attacks", "finetune(mode=ftal)", "--schemes", SCHEMES,
             "--draws", "64", "--results", "results", "--run", "calibrate-ancestors")  # fmt: skip
    subprocess.run(["bench", *words], cwd=args.out, check=True)


if __name__ == "__main__":
    main()
