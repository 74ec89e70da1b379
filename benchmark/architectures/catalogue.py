"""Architectures by name, as profiles write them: `resnet18(width=16)`. No torch: the nets are in the files beside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.description import did_you_mean
from benchmark.errors import BenchError
from benchmark.plugins.parameters import SETTING, Parameter, read_arguments
from benchmark.vocabulary import LAYER_KINDS


@dataclass(frozen=True)
class Architecture:
    """A classifier that a profile may name: `doc` in one line, and what may be set."""

    name: str
    doc: str
    arguments: tuple[Parameter, ...] = ()


def _whole(name: str, default: int, doc: str, low: int = 1) -> Parameter:
    return Parameter(name, "int", (), default, doc, low)


_FIRST = "channels of the first convolution"
_NORM = Parameter("norm", "str", ("batch", "group"), "batch", "normalisation; group: 16 channels together")
_STEM = Parameter("stem", "str", ("cifar", "imagenet"), "cifar", "imagenet: 7x7 with stride 2, then pooling")

ARCHITECTURES = {
    one.name: one
    for one in (
        Architecture("convnet", "three convolutions, 24 k parameters", (_NORM,)),
        Architecture("resnet8", "three residual blocks, 20 k parameters", (_NORM,)),
        Architecture("lenet", "KeyNet's LeNet, without normalisation", (_whole("width", 16, _FIRST),)),
        Architecture(
            "keynet-cnn", "KeyNet's CNN for 28x28 images",
            (_whole("width", 32, _FIRST), _whole("hidden", 4096, "first linear layer"), _NORM),
        ),
        Architecture("rose-cnn", "RoSe's net for MNIST, without normalisation", (_whole("width", 64, _FIRST),)),
        Architecture("rose-vgg", "RoSe's net for CIFAR-10, without normalisation", (_whole("width", 32, _FIRST),)),
        Architecture("alexnet", "DeepIPR's AlexNet for CIFAR", (_whole("width", 64, _FIRST), _NORM)),
        Architecture("vgg16", "VGG-16 for CIFAR", (_whole("width", 64, _FIRST), _NORM)),
        Architecture("resnet18", "ResNet-18", (_whole("width", 64, _FIRST), _STEM, _NORM)),
        Architecture(
            "wide-resnet", "wide residual net, 28-10",
            (_whole("depth", 28, "6n + 4 layers", 10), _whole("width", 10, "widening factor"), _NORM),
        ),
        Architecture(
            "vit", "a small vision transformer, 200 k parameters",
            (
                _whole("patch", 4, "pixels of a patch's edge"), _whole("width", 64, "channels of a token", 4),
                _whole("depth", 4, "blocks"), _whole("heads", 4, "heads of attention in a block"),
            ),
        ),
    )
}  # fmt: skip


LIBRARIES = ("torchvision", "timm")
_FILE = "file"
_LIBRARY_NET = re.compile(r"(?P<library>\w+):(?P<name>[\w.-]+)")
_FILE_NET = re.compile(r"file:(?P<path>[^#]+):(?P<function>[A-Za-z_]\w*)(#(?P<code>[0-9a-f]{16}))?")


@dataclass(frozen=True)
class FileNet:
    """A function of the user's own that makes a net. code: what is known of its file's code; "" where a path is all."""

    path: str
    function: str
    code: str


def is_foreign(text: str) -> bool:
    """Whether `text` names a net of another library or of a file, not one of the house's."""
    return text.partition(":")[0] in (*LIBRARIES, _FILE) and ":" in text


def file_net(text: str) -> FileNet | None:
    """What `file:net.py:build` names; None of a net that no file makes. Raises BenchError for another form."""
    if not text.startswith(f"{_FILE}:"):
        return None
    match = _FILE_NET.fullmatch(text)
    if match is None:
        raise BenchError(f"{text!r} names no function: write file:PATH:FUNCTION, such as file:net.py:build")
    return FileNet(match["path"], match["function"], match["code"] or "")


def read_architecture(text: str) -> tuple[str, Mapping[str, Any]]:
    """The name and the arguments in `resnet18(width=16)`; arguments that aren't written are left out.

    Of a net of another library the name is the library's; of a file's, all of `text`. Raises BenchError.
    """
    if file_net(text):
        return text, {}
    if is_foreign(text):
        if (named := _LIBRARY_NET.fullmatch(text)) is None:
            raise BenchError(
                f"{text!r} names no net: write torchvision:NAME or timm:NAME, such as torchvision:resnet18"
            )
        return named["library"], {"name": named["name"]}
    match = SETTING.fullmatch(text.strip())
    name = match["name"] if match else text
    if match is None or name not in ARCHITECTURES:
        raise BenchError(f"no architecture is called {name!r}: {did_you_mean(name, ARCHITECTURES, 'there are')}")
    known = {one.name: one for one in ARCHITECTURES[name].arguments}
    arguments = {}
    for word, value in read_arguments(match["arguments"] or "").items():
        if word not in known:
            raise BenchError(f"architecture {name} has no argument {word!r}: it takes {', '.join(known)}")
        try:
            arguments[word] = known[word].check(value)
        except BenchError as error:
            raise BenchError(f"architecture {name}: {error}") from None
    return name, arguments


def layers_of(text: str) -> frozenset[str] | None:
    """Which `LAYER_KINDS` the nets of an architecture have; None for one that is not listed here."""
    if text.partition(":")[0] in LIBRARIES:  # no ConvBlock; normalisation is looked for in the net itself
        return frozenset(LAYER_KINDS[1:])
    if text.partition("(")[0] not in ARCHITECTURES:
        return None
    name, arguments = read_architecture(text)
    if _NORM not in ARCHITECTURES[name].arguments:
        return frozenset()
    convolutions, batch = LAYER_KINDS
    return frozenset({convolutions, batch} if arguments.get("norm", _NORM.default) == "batch" else {convolutions})


def architecture_spec(text: str) -> dict[str, Any]:
    """What `text` says of a spec: its builder and arguments. A plug-in's own builder goes by its bare name."""
    if "(" not in text and text not in ARCHITECTURES and not is_foreign(text):
        return {"builder": text}
    name, arguments = read_architecture(text)
    return {"builder": name, **arguments}
