"""Hosts, weights and images that won't do: one sentence, exit code 2, before any job is run."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import pytest
import torch
import torchvision
from bench import bench_here
from own_pictures import digit_pictures

from benchmark.data.tasks import DATA_ROOT
from benchmark.planning.profile import PROFILES

CODE = """
import torch
from torch import nn


def net(classes):
    return nn.Sequential(nn.Conv2d(3, 4, 3, 4), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(256, classes))


class Odd(nn.Module):
    def __init__(self, net, change):
        super().__init__()
        self.net, self.change = net, change

    def forward(self, x):
        return self.change(self.net(x))


def pair(classes):
    return Odd(net(classes), lambda y: (y, y))


def table(classes):
    return Odd(net(classes), lambda y: {"logits": y})


def wide(classes):
    return net(1000)


def halves(classes):
    return net(classes).half()


def answers_halves(classes):
    return Odd(net(classes), lambda y: y.half())


def nan(classes):
    return Odd(net(classes), lambda y: y / 0 - y / 0)


def frozen(classes):
    return net(classes).requires_grad_(False)


def detached(classes):
    return Odd(net(classes), lambda y: y.detach())


def smaller(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, classes))


def text(classes):
    return "a net"


def no_classes():
    return net(3)


def ends(classes):
    raise SystemExit(3)


number = 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pictures/, and files of nets and weights beside them."""
    place = tmp_path_factory.mktemp("own")
    digit_pictures(place / "pictures", 40)
    digit_pictures(place / "one", 120, classes=1)
    (place / "net.py").write_text(CODE)
    (place / "broken.py").write_text("import no_such_package_here\n\n\ndef build(classes):\n    return None\n")
    torch.save(torchvision.models.mobilenet_v3_small(num_classes=3).state_dict(), place / "other.pt")
    return place


@pytest.fixture(autouse=True)
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv(DATA_ROOT, str(folder))


def refusal(*words: str, data: str = "pictures:32") -> str:
    """The sentence by which `bench plan` refuses; nothing is left in the store."""
    code, _, error = bench_here("plan", "--schemes", "adi", "--attacks", "none", "--data", data, *words)
    assert code == 2, error
    assert not Path("results/store/records").exists()
    return error


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("pair", "it answers with a tuple of 2: let it return one tensor"),
        ("table", "it answers with a dict of 1: let it return one tensor"),
        ("wide", r"it answers 4 images with the shape \(4, 1000\), and the task has 3 classes"),
        ("halves", "its tensors are float16: return a net in float32"),
        ("answers_halves", "it answers in float16: let it answer in float32"),
        ("nan", "it answers with NaN or infinity"),
        ("frozen", "it has no parameter to learn"),
        ("detached", "its answers have no gradient"),
        ("smaller", r"it can't take images of 3x32x32 \(RuntimeError: .*give --data FOLDER:SIZE"),
        ("text", "it returns a str, not a torch.nn.Module"),
        ("no_classes", r"it can't be built for 3 classes .* build\(classes\)"),
        ("ends", "ended the process"),
        ("number", r"there is no function number inside"),
        ("missing", r"there is no function missing inside after the import: write `def missing\(classes\):`"),
    ],
)
def test_a_net_that_will_not_do_is_named(function: str, said: str) -> None:
    sentence = refusal("--host", f"file:net.py:{function}")
    assert re.search(said, sentence), sentence


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("torchvision:resnet81", "torchvision has no net 'resnet81': did you mean resnet18"),
        ("torchvision:zzzz", "its names are listed by torchvision's list_models()"),
        ("hub:resnet18", "write torchvision:NAME, timm:NAME, file:PATH:FUNCTION, or a house net"),
        ("resnet81", "no architecture is called 'resnet81': did you mean resnet8"),
        ("file:net.py", "'file:net.py' names no function: write file:PATH:FUNCTION"),
        ("file:nowhere.py:build", "nowhere.py is missing: give the path of a Python file"),
        ("file:broken.py:build", "broken.py:1: the plug-in can't be imported: ModuleNotFoundError"),
    ],
)
def test_a_name_that_is_no_host_is_one_sentence(host: str, said: str) -> None:
    assert said in refusal("--host", host)


def test_a_misspelt_net_is_named_before_any_data_are_fetched(tmp_path: Path) -> None:
    given = ("--host", "torchvision:resnet81", "--data", "cifar10", "--data-root", str(tmp_path))
    results = tmp_path / "results"
    code, _, error = bench_here("run", "--schemes", "adi", "--attacks", "none", *given, "--results", str(results))
    assert code == 2
    assert "torchvision has no net 'resnet81'" in error
    assert "fetch" not in error
    assert not results.exists()


def test_timm_is_asked_for_by_its_pip_command_or_names_close_ones() -> None:
    said = "did you mean vit_tiny_patch16_224"
    if importlib.util.find_spec("timm") is None:
        said = "needs timm: pip install 'watermark-bench[timm]'"
    assert said in refusal("--host", "timm:vit_tiny_patch16_225")


def test_weights_of_another_net_and_code_in_a_file_are_refused() -> None:
    assert "the weights are another net's" in refusal("--host", "torchvision:resnet18", "--weights", "other.pt")
    assert "nowhere.pt" in refusal("--host", "torchvision:resnet18", "--weights", "nowhere.pt")


def test_images_that_are_no_task_are_one_sentence() -> None:
    host = ("--host", "file:net.py:net")
    assert "holds 1 class, and two are needed" in refusal(*host, data="one:32")
    assert "is no folder and no data set" in refusal(*host, data="nowhere")
    assert "both say which images" in refusal(*host, "--task", "digits")
    assert "are for nets that classify" in refusal(*host, data="folder-pairs:pictures")


def test_a_host_that_is_named_twice_is_refused(folder: Path) -> None:
    profile = PROFILES / "own.toml"
    shutil.copy(profile, "mine.toml")
    said = refusal("--host", "file:net.py:net", "--profile", "mine.toml")
    assert said.startswith("profile mine names the host torchvision:resnet18, and --host file:net.py:net")
