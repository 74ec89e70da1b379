"""Jebreel et al. 2021 (KeyNet): a private head reads from a net's answers where a signature was pasted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm

SIDE = 5  # pixels of a signature's edge
PLACES = 5  # the corners, row by row, and the top middle; number 0 is no signature, or not the owner's
LEAST = 16  # pixels: three signatures side by side, and one to spare
OTHER_IDENTITIES = 19  # other identities whose signatures the judge reads in every challenge
MOST_IDENTITIES = 999  # whom a judge who sees probabilities tries in all: 1/alpha - 1 at alpha 0.001
_SOME_IDENTITIES = 99  # of them in any case, or until _ENOUGH read as well as the claimed one: then it is ordinary
_ENOUGH = 5  # after the first 99, one is enough: p can't fall to alpha any more
_FLOOR = 1e-12  # least probability whose logarithm is taken: a label leaves zeros
_FOREIGN = 0.15  # share of training carriers that bear the signature of somebody else
_LEFT = 0.4  # share of a photograph's width that carriers of training are cut from; the judge's come from the rest
_LARGEST = 32  # pixels of a patch's edge up to which the judge's share of the photographs gives 300 patches


@dataclass(frozen=True, kw_only=True)
class KeyNetKey(wm.Key):
    """The owner's text, its signature by the secret, and the private head, from log-probabilities to six scores.

    The head is learnt while the mark is embedded; before that it is zero and reads "unsigned" everywhere.
    """

    identity: str
    signature: Tensor = wm.field(
        dtype=torch.uint8, shape=(SIDE, SIDE), unbound="the signature does not follow from text and secret"
    )
    weight: Tensor = wm.field(dtype=torch.float32, shape=(PLACES + 1, "classes"))
    bias: Tensor = wm.field(dtype=torch.float32, shape=(PLACES + 1,))


@dataclass(frozen=True)
class KeyNet(wm.Scheme[KeyNetKey]):
    """A second, private task: where on a foreign picture does the owner's 5x5 signature stand?

    Jebreel et al. 2021. Net and private head learn together; carriers are patches of two photographs. Different from
    the authors' code: the signature is a keyed hash (HMAC-SHA256) of text and secret, all 25 digits kept, since nobody
    could redraw a public hash of a public text; their three linear layers without activations are one affine layer;
    wrong signatures in training have the form of right ones, where theirs are coloured noise; the judge's carriers
    share no pixel with those of training, nor with each other, so that each is an item of its own; the fifth place is
    the top middle, where their code has three versions. Only signed challenges count: unmarked nets mostly answer
    "unsigned". What a fresh key would score is counted with other identities' signatures in the same places, read by
    the same head: 19 in every challenge, up to 99 until five have as many right as the claimed one, and where none of
    them has, up to 999 until one has, each read as far as it takes to know that. Every net reads the odd one of high
    contrast, so unmarked nets count as well.
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

    mode: Literal["scratch", "finetune"] = wm.parameter("scratch", "from scratch, or from the host")
    answers: Literal["probabilities", "labels"] = wm.parameter("probabilities", "what the head is given in court")
    identity: str = wm.parameter("owner", "ASCII text that names the owner")
    carriers: int = wm.parameter(1500, "patches that the net learns the signature on", low=64)
    challenges: int = wm.parameter(300, "signed patches that the judge asks, as many at each place", low=300)
    alpha: float = wm.parameter(0.7, "weight of the task in the joint loss; the head's is the rest", low=0.0, high=1.0)
    epochs: int = wm.parameter(15, "training epochs over the owner's images", low=1)
    lr: float = wm.parameter(0.05, "learning rate at its peak", low=0.0)

    def keygen(self, party: wm.Party, rng: torch.Generator) -> KeyNetKey:
        shape, classes = party.task.shape, party.task.classes
        judge_patches(self.challenges, shape, torch.Generator())  # refused now, not after the training
        secret = wm.secret(rng)
        head = {"weight": torch.zeros(PLACES + 1, classes), "bias": torch.zeros(PLACES + 1)}
        return KeyNetKey(secret=secret, identity=self.identity, signature=signature(self.identity, secret), **head)

    def rebind(self, key: KeyNetKey, secret: bytes) -> KeyNetKey:
        return replace(key, secret=secret, signature=signature(key.identity, secret))

    def malformed(self, key: KeyNetKey) -> str | None:
        return "the head reads fewer than two classes" if key.weight.shape[1] < 2 else None

    def embed(self, owner: wm.Owner, key: KeyNetKey) -> wm.Marked:
        model = owner.host if self.mode == "finetune" else owner.build()
        return self.mark(owner, model, key, owner.recipe(epochs=self.epochs, lr=self.lr))

    def mark(self, owner: wm.Owner, model: nn.Module, key: KeyNetKey, recipe: wm.Recipe) -> wm.Marked:
        """The joint loss: alpha x the task's cross-entropy + (1 - alpha) x that of the head's reading of carriers."""
        carriers = self.signed_carriers(key, self.carriers, owner.task.shape, owner.rng).to(owner.device)
        weight, bias = (nn.Parameter(part.to(owner.device, copy=True)) for part in (key.weight, key.bias))

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            (x, y), (signed, places) = batches
            task, answers = model(torch.cat([x, signed])).split([len(x), len(signed)])
            read = F.linear(answers.float().log_softmax(1), weight, bias)
            return self.alpha * F.cross_entropy(task, y) + (1 - self.alpha) * F.cross_entropy(read, places)

        beside = [wm.BatchSource.of(carriers, recipe.batch)]
        owner.fit(model, recipe, beside=beside, step=step, parameters=[*model.parameters(), weight, bias])
        return wm.Marked(model, self.with_head(key, weight, bias))

    def observe(self, suspect: wm.Suspect, key: KeyNetKey, court: wm.Court) -> wm.Observations:
        """Carriers of the judge's own, signed at known places: by the claimed key, by nobody, and by others."""
        carriers = judge_patches(self.challenges, court.context.task.shape, court.rng)
        turn = torch.arange(self.challenges)
        places = turn % PLACES + 1
        others = [signature(key.identity, wm.secret(court.rng)) for _ in range(OTHER_IDENTITIES)]

        patches = [pasted(carriers, places, sign) for sign in (key.signature, *others)]
        images = wm.as_float(torch.cat([*patches, carriers])).to(court.context.device)
        signed, *foreigners, unsigned = self._read(suspect, key, images, self.challenges).split(self.challenges)
        foreign = torch.stack(foreigners)
        totals = (foreign == places).sum(1).tolist()
        fresh = self.ranked(suspect, key, court, wm.Data(carriers, places), totals, int((signed == places).sum()))
        channels = {
            "challenges": wm.Channel(signed == places, fresh),
            # a hit: taken for what it is; printed, never counted
            "unsigned": wm.Channel(unsigned == 0),
            "wrongly_signed": wm.Channel(foreign[turn % OTHER_IDENTITIES, turn] == 0),
        }
        return wm.Observations("challenges", channels)

    def signed_carriers(self, key: KeyNetKey, n: int, shape: tuple[int, int, int], rng: torch.Generator) -> wm.Data:
        """`n` patches uint8 (n, *shape) to train on, and the places int64 (n,) that the head has to name.

        0-5 are equally likely (0: unsigned), but 15 % of the patches have somebody else's signature: unsigned as well.
        """
        places = torch.randint(PLACES + 1, (n,), generator=rng)
        foreign = torch.rand(n, generator=rng) < _FOREIGN
        where = torch.where(foreign, torch.randint(1, PLACES + 1, (n,), generator=rng), places)
        signs = [signature(key.identity, wm.secret(rng)) if other else key.signature for other in foreign.tolist()]
        patches = owner_patches(n, shape, rng)
        return wm.Data(pasted(patches, where, torch.stack(signs)), torch.where(foreign, 0, places))

    def with_head(self, key: KeyNetKey, weight: Tensor, bias: Tensor) -> KeyNetKey:
        return replace(key, weight=weight.detach().cpu().clone(), bias=bias.detach().cpu().clone())

    @property
    def most_identities(self) -> int:
        """Whom the judge tries where none reads as well: by labels, which show little, no 999 nearly whole readings."""
        return MOST_IDENTITIES if self.answers == "probabilities" else _SOME_IDENTITIES

    def ranked(
        self, suspect: wm.Suspect, key: KeyNetKey, court: wm.Court, challenges: wm.Data, totals: list[int], own: int
    ) -> wm.NullDistribution:
        """The law of who has `own` challenges right: of the first identities as many as `totals` says."""
        challenges = challenges.take(torch.randperm(self.challenges, generator=court.rng))

        def draw(count: int) -> list[Tensor]:
            return [signature(key.identity, wm.secret(court.rng)) for _ in range(count)]

        hits = partial(self.right, suspect, key, court, challenges)
        further = wm.read_in_part(self.challenges, own, draw, hits)
        stages = ((_SOME_IDENTITIES, _ENOUGH), (self.most_identities, 1))
        return wm.redrawn_in_turn(totals, own, further, stages)

    def right(
        self,
        suspect: wm.Suspect,
        key: KeyNetKey,
        court: wm.Court,
        challenges: wm.Data,
        signs: Sequence[Tensor],
        part: slice,
    ) -> Tensor:
        """In which of some challenges each of `signs` (5, 5) is read in its place, boolean (signs, challenges)."""
        patches, where = (one[part].repeat(len(signs), *[1] * (one.dim() - 1)) for one in (challenges.x, challenges.y))
        each = len(where) // len(signs)
        images = wm.as_float(pasted(patches, where, torch.stack(list(signs)).repeat_interleave(each, 0)))
        beside = len(images) // (OTHER_IDENTITIES + 1)  # a share of the judge's own, as in the first question
        return (self._read(suspect, key, images.to(court.context.device), beside) == where).view(len(signs), each)

    def _read(self, suspect: wm.Suspect, key: KeyNetKey, x: Tensor, keyed: int) -> Tensor:
        """The places (N,), 0 for unsigned, that the head reads from the suspect's answers to `x` (N, C, H, W).

        keyed: how many of `x` bear the key, or are asked as if so many did. A class that the head doesn't know tells it
        nothing.
        """
        classes = key.weight.shape[1]
        if self.answers == "labels":
            labels = suspect.labels(x, keyed=keyed).cpu()
            answers = F.one_hot(labels.clamp(max=classes), classes + 1)[:, :classes].float()
        else:
            answers = suspect.ask(x, keyed=keyed).cpu()
            if answers.shape[1] != classes:
                raise wm.Unreadable(f"the task has {answers.shape[1]} classes, the head reads {classes}")
        return F.linear(answers.clamp_min(_FLOOR).log(), key.weight, key.bias).argmax(1)


def signature(identity: str, secret: bytes) -> Tensor:
    """The 5x5 grey patch of a text, uint8: 25 hashed decimal digits over the largest of them.

    Raises ValueError unless the text is ASCII and not empty.
    """
    if not identity or not identity.isascii():
        raise ValueError(f"the identity must be ASCII text, at least one character, not {identity!r}")
    digits = wm.prf_labels(secret, b"keynet signature " + identity.encode("ascii"), SIDE * SIDE, 10).view(SIDE, SIDE)
    return wm.as_bytes(digits / digits.max().clamp_min(1))


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
    sizes = len(part), part.shape[1] - height + 1, part.shape[2] - width + 1
    draws = [torch.randint(size, (n,), generator=rng).tolist() for size in sizes]
    patches = [part[i, y : y + height, x : x + width] for i, y, x in zip(*draws, strict=True)]
    return torch.stack(patches).permute(0, 3, 1, 2)  # channels lie last in memory: nets answer three times as fast


def judge_patches(n: int, shape: tuple[int, int, int], rng: torch.Generator) -> Tensor:
    """`n` patches uint8 (n, *shape) from the right 60 % of two photographs, of which no two share a pixel.

    They are tiles of a grid whose corner is drawn, drawn without replacement. Raises ValueError where there are fewer.
    """
    _, height, width = shape
    part = _part(shape, right=True)
    top = int(torch.randint(part.shape[1] % height + 1, (1,), generator=rng))
    left = int(torch.randint(part.shape[2] % width + 1, (1,), generator=rng))
    tiles = part[:, top:, left:].unfold(1, height, height).unfold(2, width, width).flatten(0, 2)
    if len(tiles) < n:
        size = f"{height}x{width}"
        raise ValueError(f"two photographs give {len(tiles)} separate patches of {size}, not {n}: lower challenges")
    return tiles[torch.randperm(len(tiles), generator=rng)[:n]]


def _part(shape: tuple[int, int, int], *, right: bool) -> Tensor:
    """The judge's or the owner's share of the photographs, uint8 (2, H, W, C), enlarged for images beyond 32x32.

    Raises ValueError where images (C, H, W) can't carry five signatures, or can't be cut from a photograph.
    """
    channels, *sides = shape
    size = "x".join(map(str, sides))
    if min(sides) < LEAST:
        raise ValueError(f"keynet needs images of at least {LEAST}x{LEAST}, not {size}")
    if channels not in (1, 3) or max(sides) > 256:
        raise ValueError(f"keynet cuts grey or RGB patches of at most 256x256, not {channels} channels of {size}")
    pictures = wm.photographs(channels, -(-max(sides) // _LARGEST))
    cut = round(_LEFT * pictures.shape[2])
    return pictures[:, :, cut:] if right else pictures[:, :, :cut]
