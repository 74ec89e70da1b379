"""Jebreel et al. 2021 (KeyNet): a private head reads from a net's answers where a signature was pasted."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from benchmark.contract import (
    Admission,
    BatchSource,
    Channel,
    Court,
    Data,
    Key,
    Marked,
    Observations,
    Owner,
    Party,
    Recipe,
    Scheme,
    Suspect,
    Unreadable,
    as_bytes,
    as_float,
    parameter,
    prf_labels,
    redrawn,
    secret,
)

SIDE = 5  # pixels of a signature's edge
PLACES = 5  # the corners, row by row, and the top middle; number 0 is no signature, or not the owner's
LEAST = 16  # pixels: three signatures side by side, and one to spare
OTHERS = 19  # other identities whose signatures the judge tries beside the claimed one
_FLOOR = 1e-12  # least probability whose logarithm is taken: a label leaves zeros
_PHOTOGRAPHS = {  # scikit-learn's sample images: carriers are part of the results, so other pictures are refused
    "china.jpg": "8378025ad2519d649d02e32bd98990db4ab572357d9f09841c2fbfbb4fefad29",
    "flower.jpg": "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
}
_FOREIGN = 0.15  # share of training carriers that bear the signature of somebody else
_LEFT = 0.4  # share of a photograph's width that carriers of training are cut from; the judge's come from the rest
_SIDE = 32  # pixels of the largest patch of which the judge's share of the photographs, as they are, gives 300


@dataclass(frozen=True)
class KeyNetKey(Key):
    """The owner's text and 32 secret bytes, their signature uint8 (5, 5), and the private head.

    The head maps log-probabilities to six scores: `weight` (6, classes), `bias` (6,). It is learnt while the mark is
    embedded; before that it is zero and reads "unsigned" everywhere.
    """

    identity: str
    secret: bytes
    signature: Tensor
    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class KeyNet(Scheme):
    """A second, private task: where on a foreign picture does the owner's 5x5 signature stand?

    Jebreel et al. 2021. Net and private head learn together; carriers are patches of two photographs. Different
    from the authors' code: the signature is a keyed hash (HMAC-SHA256) of text and secret, all 25 digits kept,
    since a public hash of a public text could be redrawn by nobody; their three linear layers without activations
    are one affine layer; wrong signatures in training have the form of right ones, where theirs are coloured noise
    that any grey patch is told from; the judge's carriers share no pixel with those of training, nor with each
    other, so that each is an item of its own; the fifth place is the top middle, where their code has three
    versions. Only signed challenges count: unmarked nets answer "unsigned" more often than not. What a fresh key
    would score is counted with other identities' signatures in the same places, read by the same head; now and then
    one of high contrast is read by every net, so this p-value alone is too small in its far tail, and the
    comparison with unmarked nets, which read it too, makes up for it.
    """

    name = "keynet"
    paper = "Jebreel et al. 2021, Applied Sciences 11(3):999"
    court = "probabilities"
    host = True
    capabilities = ("carriers", "overwrite")
    item = "challenge"
    null_law = "redrawn"
    settings = ("", "mode=finetune", "answers=labels")
    expected_failures: ClassVar[Mapping[str, str]] = {
        "answers=labels": "the head was trained on probabilities; whether the likeliest class shows the place is luck",
    }
    key_type = KeyNetKey

    mode: Literal["scratch", "finetune"] = parameter("scratch", "from scratch, or from the host")
    answers: Literal["probabilities", "labels"] = parameter("probabilities", "what the private head is given in court")
    identity: str = parameter("owner", "ASCII text that names the owner")
    carriers: int = parameter(1500, "patches that the net learns the signature on", low=64)
    challenges: int = parameter(300, "signed patches that the judge asks, as many at each place", low=300)
    alpha: float = parameter(0.7, "weight of the task in the joint loss; the head's is the rest", low=0.0, high=1.0)
    epochs: int = parameter(15, "training epochs over the owner's images", low=1)
    lr: float = parameter(0.05, "learning rate at its peak", low=0.0)

    def keygen(self, party: Party, rng: torch.Generator) -> KeyNetKey:
        check_shape(party.task.shape)
        judge_patches(self.challenges, party.task.shape, torch.Generator())  # refused now, not after the training
        own, classes = secret(rng), party.task.classes
        head = torch.zeros(PLACES + 1, classes), torch.zeros(PLACES + 1)
        return KeyNetKey(self.identity, own, signature(self.identity, own), *head)

    def embed(self, owner: Owner, key: Key) -> Marked:
        model = owner.host if self.mode == "finetune" else owner.build()
        return self.mark(owner, model, key, replace(owner.context.recipe, epochs=self.epochs, lr=self.lr))

    def mark(self, owner: Owner, model: nn.Module, key: Key, recipe: Recipe) -> Marked:
        """The joint loss: alpha x the task's cross-entropy + (1 - alpha) x that of the head's reading of carriers."""
        key = cast(KeyNetKey, key)
        carriers = self.signed_carriers(key, self.carriers, owner.task.shape, owner.rng).to(owner.device)
        weight, bias = (nn.Parameter(part.to(owner.device, copy=True)) for part in (key.weight, key.bias))

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            (x, y), (signed, places) = batches
            task, answers = model(torch.cat([x, signed])).split([len(x), len(signed)])
            read = F.linear(answers.float().log_softmax(1), weight, bias)
            return self.alpha * F.cross_entropy(task, y) + (1 - self.alpha) * F.cross_entropy(read, places)

        beside = [BatchSource.of(carriers, recipe.batch)]
        owner.fit(model, recipe, beside=beside, step=step, parameters=[*model.parameters(), weight, bias])
        return Marked(model, self.with_head(key, weight, bias))

    def observe(self, suspect: Suspect, key: Key, court: Court) -> Observations:
        """Carriers of the judge's own, signed at known places: by the claimed key, by nobody, and by others."""
        key, device = cast(KeyNetKey, key), court.context.device
        carriers = judge_patches(self.challenges, court.context.task.shape, court.rng)
        places = torch.arange(self.challenges) % PLACES + 1
        others = [signature(key.identity, secret(court.rng)) for _ in range(OTHERS)]

        def read(patches: Tensor) -> Tensor:
            return self._read(suspect, key, as_float(patches).to(device))

        foreign = torch.stack([read(pasted(carriers, places, other)) for other in others])
        turn = torch.arange(self.challenges)
        channels = {
            "challenges": Channel(
                read(pasted(carriers, places, key.signature)) == places,
                redrawn((foreign == places).sum(1).tolist()),
            ),
            # a hit: taken for what it is; printed, never counted
            "unsigned": Channel(read(carriers) == 0),
            "wrongly_signed": Channel(foreign[turn % OTHERS, turn] == 0),
        }
        return Observations("challenges", channels)

    def admissible(self, key: Key) -> Admission:
        key = cast(KeyNetKey, key)
        reason = _malformed(key)
        if reason:
            return Admission(well_formed=False, bound=False, hash_bound=True, reason=reason)
        bound = torch.equal(key.signature.cpu(), signature(key.identity, key.secret))
        reason = None if bound else "the signature does not follow from text and secret"
        return Admission(well_formed=True, bound=bound, hash_bound=True, reason=reason)

    def redraw(self, key: Key, rng: torch.Generator) -> KeyNetKey:
        """The signature of another secret, read by the same head."""
        key, drawn = cast(KeyNetKey, key), secret(rng)
        return replace(key, secret=drawn, signature=signature(key.identity, drawn))

    def signed_carriers(self, key: Key, n: int, shape: tuple[int, int, int], rng: torch.Generator) -> Data:
        """`n` patches uint8 (n, *shape) to train on, and the places int64 (n,) that the head has to name.

        0-5 are equally likely (0: left unsigned), but for every seventh patch or so, which bears the signature of
        somebody else and counts as unsigned.
        """
        key = cast(KeyNetKey, key)
        places = torch.randint(PLACES + 1, (n,), generator=rng)
        foreign = torch.rand(n, generator=rng) < _FOREIGN
        where = torch.where(foreign, torch.randint(1, PLACES + 1, (n,), generator=rng), places)
        signs = [signature(key.identity, secret(rng)) if other else key.signature for other in foreign.tolist()]
        patches = owner_patches(n, shape, rng)
        return Data(pasted(patches, where, torch.stack(signs)), torch.where(foreign, 0, places))

    def with_head(self, key: Key, weight: Tensor, bias: Tensor) -> KeyNetKey:
        """The key with a trained head: `weight` (6, classes), `bias` (6,)."""
        return replace(cast(KeyNetKey, key), weight=weight.detach().cpu().clone(), bias=bias.detach().cpu().clone())

    def _read(self, suspect: Suspect, key: KeyNetKey, x: Tensor) -> Tensor:
        """The places (N,), 0 for unsigned, that the head reads from the suspect's answers to `x` (N, C, H, W)."""
        classes = key.weight.shape[1]
        if self.answers == "labels":
            labels = suspect.labels(x).cpu()
            if int(labels.max()) >= classes:
                raise Unreadable(f"the suspect names a class beyond the {classes} that the head reads")
            answers = F.one_hot(labels, classes).float()
        else:
            answers = suspect.ask(x).cpu()
            if answers.shape[1] != classes:
                raise Unreadable(f"the suspect knows {answers.shape[1]} classes, the head reads {classes}")
        return F.linear(answers.clamp_min(_FLOOR).log(), key.weight, key.bias).argmax(1)


def signature(identity: str, secret: bytes) -> Tensor:
    """The 5x5 grey patch of a text, uint8: 25 hashed decimal digits over the largest of them.

    Raises ValueError unless the text is ASCII and not empty.
    """
    if not identity or not identity.isascii():
        raise ValueError(f"the identity must be ASCII text, at least one character, not {identity!r}")
    digits = prf_labels(secret, b"keynet signature " + identity.encode("ascii"), SIDE * SIDE, 10).view(SIDE, SIDE)
    return as_bytes(digits / digits.max().clamp_min(1))


def pasted(patches: Tensor, places: Tensor, signs: Tensor) -> Tensor:
    """A copy of uint8 `patches` (N, C, H, W) with `signs` (5, 5) or (N, 5, 5) in their places (N,); 0: in none."""
    signed, (height, width) = patches.clone(), patches.shape[2:]
    bottom, right = height - SIDE, width - SIDE
    corners = ((0, 0), (0, right), (bottom, 0), (bottom, right), (0, right // 2))
    signs = signs.expand(len(patches), SIDE, SIDE)
    for place, (top, left) in enumerate(corners, 1):
        chosen = places == place
        signed[chosen, :, top : top + SIDE, left : left + SIDE] = signs[chosen].unsqueeze(1)
    return signed


def owner_patches(n: int, shape: tuple[int, int, int], rng: torch.Generator) -> Tensor:
    """`n` patches uint8 (n, *shape) to train on, from anywhere in the left 40 % of two photographs."""
    _, height, width = shape
    part = _part(shape, right=False)
    draws = [torch.randint(size, (n,), generator=rng).tolist() for size in (
        len(part), part.shape[1] - height + 1, part.shape[2] - width + 1,
    )]  # fmt: skip
    patches = [part[i, y : y + height, x : x + width] for i, y, x in zip(*draws, strict=True)]
    return torch.stack(patches).permute(0, 3, 1, 2)  # channels lie last in memory: nets answer three times as fast


def judge_patches(n: int, shape: tuple[int, int, int], rng: torch.Generator) -> Tensor:
    """`n` patches uint8 (n, *shape) from the right 60 % of two photographs, of which no two share a pixel.

    They are tiles of a grid whose corner is drawn, drawn without replacement. Raises ValueError where there are fewer.
    """
    _, height, width = shape
    part = _part(shape, right=True)
    top, left = (int(torch.randint(have % size + 1, (1,), generator=rng)) for have, size in zip(
        part.shape[1:3], (height, width), strict=True
    ))  # fmt: skip
    tiles = part[:, top:, left:].unfold(1, height, height).unfold(2, width, width).flatten(0, 2)
    if len(tiles) < n:
        size = f"{height}x{width}"
        raise ValueError(f"two photographs give {len(tiles)} separate patches of {size}, not {n}: lower challenges")
    chosen = tiles[torch.randperm(len(tiles), generator=rng)[:n]]
    return chosen.contiguous(memory_format=torch.channels_last)


def _part(shape: tuple[int, int, int], *, right: bool) -> Tensor:
    """The judge's or the owner's share of the photographs, uint8 (2, H, W, C), enlarged for images beyond 32x32."""
    check_shape(shape)
    channels, *sides = shape
    pictures = _photographs("L" if channels == 1 else "RGB", -(-max(sides) // _SIDE))
    cut = round(_LEFT * pictures.shape[2])
    return pictures[:, :, cut:] if right else pictures[:, :, :cut]


def check_shape(shape: tuple[int, int, int]) -> None:
    """Raises ValueError where images (channels, height, width) can't carry five signatures or be cut from a photo."""
    channels, *sides = shape
    size = "x".join(map(str, sides))
    if min(sides) < LEAST:
        raise ValueError(f"keynet needs images of at least {LEAST}x{LEAST}, not {size}")
    if channels not in (1, 3) or max(sides) > 256:
        raise ValueError(f"keynet cuts grey or RGB patches of at most 256x256, not {channels} channels of {size}")


@cache
def _photographs(mode: str, times: int) -> Tensor:
    """uint8 (2, H, W, C), `times` as high and wide as they come."""
    package = importlib.util.find_spec("sklearn")  # finds the package without importing it
    folder = Path(next(iter((package and package.submodule_search_locations) or ()), "sklearn"), "datasets", "images")
    found = []
    for name, digest in _PHOTOGRAPHS.items():
        path = folder / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise ValueError(f"keynet cuts its carriers from {path}, which is missing or not that of scikit-learn")
        with Image.open(path) as picture:
            size = picture.width * times, picture.height * times
            pixels = np.array(picture.convert(mode).resize(size))
        found.append(torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)))
    return torch.stack(found)


def _malformed(key: KeyNetKey) -> str | None:
    if not key.identity or not key.identity.isascii():
        return "the identity is not ASCII text of at least one character"
    if len(key.secret) != 32:
        return f"the secret has {len(key.secret)} bytes, not 32"
    if key.signature.dtype != torch.uint8 or key.signature.shape != (SIDE, SIDE):
        return "the signature is not a uint8 patch of 5x5"
    if key.weight.ndim != 2 or len(key.weight) != PLACES + 1 or key.weight.shape[1] < 2:
        return "the head's weights are not (6, classes)"
    if key.bias.shape != (PLACES + 1,):
        return "the head's bias is not (6,)"
    if not bool(torch.isfinite(key.weight).all() and torch.isfinite(key.bias).all()):
        return "the head has NaN or infinity in it"
    return None
