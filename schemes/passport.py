"""Passports: scale and shift of some layers are computed from tensors of the owner through the layer's own filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm
from schemes.passport_key import PassportKey, drawn, read_config, whitened_bits
from schemes.passport_net import Pairs, PassportNet, measured, private_branch, set_statistics, statistics


@dataclass(frozen=True)
class Passport(wm.Scheme[PassportKey]):
    """DeepIPR passports: the signs of scales that a layer's filters derive from the owner's tensors are the mark.

    Fan et al., NeurIPS 2019 / TPAMI 2021. V1: the passports ship with the model and serve every forward pass. V2: the
    model that ships is plain; a private branch with the same filters computes with the passports, is trained beside it
    and stays in the key, with its statistics. V3: V2, and abstract triggers learnt by both branches.

    Bit c of a layer is the sign of its derived scale gamma_c. Two checks: the bits, and the accuracy with the claimed
    passports installed (gate "fidelity"). Trigger hits are printed and never counted: one more chance to be right would
    cost the test its size.
    Different from the authors' code: bits are whitened, message XOR PRF(secret), since raw text has no null
    distribution; text shorter than the channels is repeated instead of padded at random; passport images come from the
    owner's training split, not from the test split; scales are re-derived from the suspect's filters, and those that it
    carries are printed only (the authors' fine-tuning table reads these; V2's plain scales never held the bits). Batch
    normalisation has statistics per branch (Zhang et al., NeurIPS 2020), where the authors turn to group normalisation;
    `norm=group` does that too, and needs twice the epochs.
    Non-negative passports (`shuffle`, `image`) give any two claimants nearly the same signs, so bits that a claimant
    may choose prove nothing. `binding=free`, the authors' rule, allows it for comparison, and p_key is absent. In a
    forged claim on V1 the carried scales are the owner's: they count which of his signs the forger's passports give.
    """

    name = "passport"
    paper = "Fan et al., Rethinking Deep Neural Network Ownership Verification, NeurIPS 2019 (arXiv 1909.07830)"
    release = "weights"
    court = "weights"
    host = True
    capabilities = ("passports", "overwrite")
    layers_needed = "normalised convolutions"
    item = "bit"
    null_law = "exact"
    settings = (
        "", "recipe=signed", "recipe=random", "recipe=image", "binding=passports", "binding=free",
        "version=v2", "version=v2,recipe=signed", "version=v2,norm=group,epochs=20",
        "version=v3", "version=v3,recipe=signed",
    )  # fmt: skip
    expected_forgeries: ClassVar[Mapping[str, str]] = {
        "binding=free": "whoever installs passports of his own declares the bits that they derive, so all fit, and his "
        "claim stands wherever the accuracy does: fake1 with a trained net, fake2, fake3, the accessory block",
    }
    file_parameters = ("config",)

    version: Literal["v1", "v2", "v3"] = wm.parameter("v1", "what ships: the passports; a plain net; with triggers too")
    recipe: Literal["shuffle", "signed", "random", "image"] = wm.parameter(
        "shuffle", "passports: channels of several images, those times secret signs, uniform noise, or one image"
    )
    binding: Literal["identity", "passports", "free"] = wm.parameter(
        "identity", "what the bits follow from: text and secret; text, secret and a hash of the passports; or nothing"
    )
    layers: int = wm.parameter(2, "convolutions with passports, counted from the output", low=1)
    signature: str = wm.parameter("owner", "ASCII text written into the signs, at most one character per 8 channels")
    config: str = wm.parameter("", "TOML file in place of `layers`: a layer's name = true, or its own text")
    norm: Literal["house", "group"] = wm.parameter("house", "the marked net's normalisation: the house's, or in groups")
    epochs: int = wm.parameter(0, "training epochs over the owner's images; 0 for as many as the house's nets", low=0)
    images: int = wm.parameter(20, "images whose activations are shuffled into one passport", low=1)
    alpha: float = wm.parameter(0.1, "weight of the sign loss", low=0.0)
    margin: float = wm.parameter(0.1, "gamma_0, the least scale the sign loss asks for", low=0.0)
    clip: float = wm.parameter(5.0, "largest gradient norm", low=0.0)
    n: int = wm.parameter(100, "number of triggers (V3)", low=1)
    k: int = wm.parameter(12, "triggers in each training batch (V3), of 76 images; 2 of 66 in the paper", low=1)

    def keygen(self, party: wm.Party, rng: torch.Generator) -> PassportKey:
        """Passports by the authors' recipes: out of what enters the layer in the party's own plain net."""
        host = party.host if isinstance(party, wm.Owner) else party.fit(party.build())
        count = min(1 if self.recipe == "image" else self.images, len(party.data) // 2)
        if count < 1:
            raise ValueError("a passport and its twin need an image each, and the party has fewer than 2")
        index = torch.randperm(len(party.data), generator=rng)[: 2 * count].to(party.device)
        inputs = wm.entering(host, self.places(host), party.data.take(index).images())
        pairs = [(drawn(self.recipe, x[:count], rng), drawn(self.recipe, x[count:], rng)) for x in inputs]
        key = self._key(host, pairs, wm.secret(rng))
        if self.version != "v3":
            return key
        triggers = wm.abstract_images(self.n, party.task.shape, rng)
        return self.rebind(replace(key, triggers=triggers, classes=party.task.classes), key.secret)

    def rebind(self, key: PassportKey, secret: bytes) -> PassportKey:
        """Labels of triggers follow from the secret, and so do the bits, unless they are whatever a claimant says."""
        labels = wm.prf_labels(secret, b"passport triggers", len(key.triggers), key.classes)
        key = replace(key, secret=secret, labels=labels)
        return key if self.binding == "free" else self._written(key)

    @property
    def hash_bound(self) -> bool:
        """Free bits are admissible whatever they are: none cost a claimant a search over secrets."""
        return self.binding != "free"

    def redraw(self, key: PassportKey, rng: torch.Generator) -> PassportKey:
        if self.binding == "free":
            raise wm.NotApplicable("free bits follow from nothing, so no law says what fresh ones would be")
        return super().redraw(key, rng)

    def malformed(self, key: PassportKey) -> str | None:
        if not key.layers:
            return "the key names no layer"
        if key.statistics and self.version == "v1":
            return "V1 ships its only branch with its statistics: the key may hold none"
        if not all(bool((variance > 0).all()) for _, variance in key.statistics):
            return "the statistics of a normalisation must be means and positive variances"
        return None

    def embed(self, owner: wm.Owner, key: PassportKey) -> wm.Marked:
        """From scratch, by the house's recipe."""
        spec, epochs = owner.context.spec(), self.epochs or owner.context.recipe.epochs
        model = owner.build() if self.norm == "house" else owner.assemble({**spec, "norm": "group"})
        return self.mark(owner, model, key, owner.recipe(epochs=epochs))

    def mark(self, owner: wm.Owner, model: nn.Module, key: PassportKey, recipe: wm.Recipe) -> wm.Marked:
        """Cross-entropy of every branch plus the sign loss of every layer, from the filters of a plain `model` on."""
        v1 = self.version == "v1"
        private = PassportNet.of(model, key.by_layer) if v1 else private_branch(model, key.by_layer).train()
        branches = [private] if v1 else [model, private]  # the first is released
        signs = zip(private.blocks(), self.signs(key), strict=True)
        wanted = [(block, sign.to(owner.device)) for (_, block), sign in signs]

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            x, y = (torch.cat(part) for part in zip(*batches, strict=True))
            loss = torch.stack([F.cross_entropy(branch(x), y) for branch in branches]).sum()
            for block, sign in wanted:
                gamma, _ = block.derived()
                loss = loss + self.alpha * F.relu(self.margin - sign * gamma).sum() + 1e-5 * gamma.square().sum()
            return loss

        triggers = wm.Data(key.triggers, key.labels).to(owner.device)
        beside = [wm.BatchSource.of(triggers, self.k)] if self.version == "v3" else []
        released = owner.fit(branches[0], replace(recipe, clip=self.clip), step=step, beside=beside)
        return wm.Marked(released, replace(key, statistics=() if v1 else statistics(private)))

    def observe(self, suspect: wm.Suspect, key: PassportKey, court: wm.Court) -> wm.Observations:
        """Signs of the scales re-derived from the suspect's filters, and of those it carries, against the bits.

        `bits_aligned` reads the filters after alignment to the delivered net, which compares nothing in the directions
        that the passports read. It has no law, since that net was trained with the bits. A net that can't be aligned is
        read as it is. The gate takes that of the two nets which the passports fit best.
        """
        delivered = suspect.net()
        read = self.install(delivered, key)
        turned = suspect.aligned({f"{name}.conv": block.direction() for name, block in read.blocks()})
        again = read if turned is None else self.install(turned, key)
        carried = {name: block.norm.weight for name, block in wm.conv_blocks(wm.plain(delivered))}
        law = None if self.binding == "free" else wm.binomial(0.5)

        def agree(scales: Mapping[str, Tensor]) -> Tensor:
            signs = zip(key.layers, self.signs(key), strict=True)
            return torch.cat(
                [scales[name].detach().cpu() * sign > 0 for name, sign in signs]
            )  # a scale of 0 is an error

        def derived(net: PassportNet) -> dict[str, Tensor]:
            return {name: block.derived()[0] for name, block in net.blocks()}

        channels = {"bits": wm.Channel(agree(derived(read)), law), "carried_bits": wm.Channel(agree(carried), law)}
        views = ("bits_aligned",) if court.reference else ()
        channels |= {view: wm.Channel(agree(derived(again))) for view in views}
        if len(key.triggers):
            answers = suspect.labels(wm.as_float(key.triggers).to(court.context.device)).cpu()
            channels["triggers"] = wm.Channel(answers == key.labels, wm.binomial(1 / key.classes))
        after = max((court.right(net) for net in (read, again)), key=lambda right: int(right.sum()))
        gate = wm.Gate(before=court.right(delivered), after=after)
        return wm.Observations("bits", channels, {"fidelity": gate}, views=views)

    def install(self, model: nn.Module, key: PassportKey) -> PassportNet:
        """A copy of `model` with the passports of `key`: same filters, scale and shift re-derived.

        The statistics are the model's, or those of the private branch where the key has them. Raises Unreadable when
        a layer is missing or shaped differently, or the statistics are of another net.
        """
        model = wm.unfused(wm.plain(model))
        blocks = dict(wm.conv_blocks(model))
        for name, bits, p_gamma in zip(key.layers, key.bits, key.p_gamma, strict=True):
            if name not in blocks:
                raise wm.Unreadable(f"the net has no layer {name}: the passports belong to another architecture")
            has = blocks[name].conv.in_channels, blocks[name].conv.out_channels
            if has != (wanted := (p_gamma.shape[1], len(bits))):
                raise wm.Unreadable(f"layer {name} has {has} channels in and out, the passports are for {wanted}")
        installed = PassportNet.of(model, key.by_layer)
        if key.statistics:
            set_statistics(installed, key.statistics)
        return installed

    def places(self, model: nn.Module) -> list[str]:
        """See `PassportScheme`. Raises NotApplicable for a net without such layers, ValueError for one with too few."""
        return list(self._texts(model))

    def passport_key(self, model: nn.Module, passports: Pairs, secret: bytes) -> PassportKey:
        """See `PassportScheme`. Raises ValueError when the signature has no place in the layers."""
        key = self._key(model, passports, secret)
        if self.version != "v1":
            key = replace(key, statistics=statistics(self.install(model, key)))
        if self.binding != "free":
            return key
        installed = self.install(model, key)
        with torch.no_grad():
            return replace(key, bits=tuple((block.derived()[0] > 0).cpu() for _, block in installed.blocks()))

    def calibrated(self, key: PassportKey, model: nn.Module, party: wm.Party) -> PassportKey:
        if self.version == "v1":
            return key
        installed = self.install(model, replace(key, statistics=()))
        return replace(key, statistics=measured(installed, wm.as_float(party.inputs)))

    def signs(self, key: PassportKey) -> list[Tensor]:
        return [bits.float().cpu() * 2 - 1 for bits in key.bits]

    def passports(self, model: nn.Module) -> list[tuple[Tensor, Tensor]]:
        """See `PassportScheme`. Raises NotApplicable for a net without passports: V2 and V3 ship none."""
        if isinstance(model, PassportNet):
            return [(block.p_gamma, block.p_beta) for _, block in model.blocks()]
        if self.version == "v1":
            raise wm.NotApplicable("the model ships no passports any more: an earlier stage folded them away")
        raise wm.NotApplicable(f"{self.version} ships no passports: they stay with the owner, in his key")

    def _key(self, model: nn.Module, passports: Pairs, secret: bytes) -> PassportKey:
        """The key of these passports with the bits of text and secret: what an owner declares before he trains."""
        model = wm.unfused(wm.plain(model))
        texts, blocks = self._texts(model), dict(wm.conv_blocks(model))
        key = PassportKey(
            secret=secret,
            layers=tuple(texts),
            texts=tuple(texts.values()),
            signature=self.signature,
            bits=tuple(torch.zeros(blocks[name].conv.out_channels, dtype=torch.bool) for name in texts),
            statistics=(),
            triggers=torch.empty(0, 1, 1, 1, dtype=torch.uint8),
            labels=torch.empty(0, dtype=torch.int64),
            classes=1,
            p_gamma=tuple(p_gamma.detach().cpu() for p_gamma, _ in passports),
            p_beta=tuple(p_beta.detach().cpu() for _, p_beta in passports),
        )
        return self._written(key)

    def _written(self, key: PassportKey) -> PassportKey:
        """`key` with its texts in its bits, whitened by its secret and, if they are bound to them, its passports."""
        bound = key.passports if self.binding == "passports" else []
        widths = [len(bits) for bits in key.bits]
        return replace(key, bits=whitened_bits(key.signature, key.texts, widths, key.secret, bound))

    def _texts(self, model: nn.Module) -> dict[str, str]:
        """The layers with passports, from the input to the output, and the text that each has for itself."""
        names = [name for name, _ in wm.conv_blocks(model)]
        if not names:
            raise wm.NotApplicable(
                "the net has no normalised convolution, and passports stand in for a scale and a shift: "
                "choose an architecture with normalisation"
            )
        if self.config:
            asked = read_config(self.config)
            if strange := [name for name in asked if name not in names]:
                raise ValueError(f"{self.config}: the net has no layer {strange[0]:.100}: it has {', '.join(names)}")
            return {name: asked[name] for name in names if name in asked}
        if len(names) < self.layers:
            raise ValueError(f"layers={self.layers} is more than the {len(names)} convolutions of the net: lower it")
        return dict.fromkeys(names[-self.layers :], "")
