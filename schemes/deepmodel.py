"""Zhang et al. 2020 and 2021: every image that the service sends has a secret image in it, and so has a surrogate's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark import contract as wm
from schemes.deepmodel_key import DeepModelKey, block_code, read_image
from schemes.deepmodel_net import EXTRACTOR, GREY, SERVICE, MarkedService, reading_loss

ATTEMPTS = 3  # some draws of H and R never leave the start, where nothing is embedded and grey is read everywhere
LEAST_READ = 0.5  # mean projection on the owner's own outputs from which the first stage counts as learnt
# the papers' optimiser, and images as they are
PAPERS: Mapping[str, Any] = {"optimiser": "adam", "weight_decay": 0.0, "shift": 0, "flip": False}
SUCCESS = 0.95  # the papers' threshold on the normalised correlation


@dataclass(frozen=True)
class DeepModel(wm.Scheme[DeepModelKey]):
    """A secret image in every output, which surrogates of the service learn to output too.

    An embedder H behind the owner's net M, an extractor R, a discriminator D. First all three together; then R alone,
    on the outputs of a surrogate that the owner trains himself (the adversarial stage). H learns on what M makes of the
    owner's images, and an owner who can't read his own images afterwards starts anew. Left out is the perceptual loss,
    which needs VGG's weights. R detects presence: it has learnt its own secret, and finds it in another owner's marked
    images too (a run of two seeds or more prints this beside the false alarms). So a claim shows that such a mark is
    there, hardly whose. The evidence is the projection, since a correlation ignores how weak an answer is (nearly flat
    ones reach .7), and the papers' own (`nc_raw`, means left in) is .7 for a grey answer to a half-white image.
    """

    name = "deepmodel"
    paper = "Zhang et al. 2020, AAAI (arXiv:2002.11088); Zhang et al. 2021, TPAMI (arXiv:2103.04980)"
    tasks = ("image-to-image",)
    release = "outputs"
    court = "outputs"
    host = True
    capabilities = ("embedder", "extractor")
    item = "test image"
    null_law = "none"  # R was fitted to its own secret, and reads no other
    settings = ("", "adversarial=false")
    file_parameters = ("secret_image",)
    secret_files = ("secret_image",)

    adversarial: bool = wm.parameter(True, "fine-tune R on the outputs of the owner's own surrogate")
    secret_image: str = wm.parameter("", "image file of the task's size, read as grey levels; empty: made of a secret")
    strength: float = wm.parameter(0.05, "the most that H may change a pixel, of 1", low=0.001, high=1.0)
    fidelity: float = wm.parameter(30.0, "weight of the squared error between b' and b", low=0.0)
    epochs: int = wm.parameter(9, "passes over the owner's images in the first stage", low=1)
    tuning: int = wm.parameter(3, "passes over the owner's images in the adversarial stage", low=1)

    def keygen(self, party: wm.Party, rng: torch.Generator) -> DeepModelKey:
        channels, *size = party.task.shape
        secret = wm.secret(rng)
        extractor = wm.Net.of(party.assemble({"builder": EXTRACTOR, "channels": channels}))
        return DeepModelKey(secret=secret, image=self._image(secret, size), extractor=extractor)

    def _image(self, secret: bytes, size: Sequence[int]) -> Tensor:
        return read_image(Path(self.secret_image), size) if self.secret_image else block_code(secret, size)

    def embed(self, owner: wm.Owner, key: DeepModelKey) -> wm.Marked:
        host, degraded = owner.host, owner.data.x
        pairs = wm.BatchSource(degraded, _answers(host, degraded), min(8, len(degraded)))
        spec = {"builder": SERVICE, "host": wm.Net.of(host).spec, "size": list(key.image.shape[1:]),
                "strength": self.strength}  # fmt: skip
        for attempt in range(ATTEMPTS):
            service = cast(MarkedService, owner.assemble(spec))
            service.host.load_state_dict(host.state_dict())
            service.image.copy_(wm.as_float(key.image)[None])
            extractor = owner.assemble(key.extractor.spec) if attempt else key.extractor.module(owner.device)
            self._initial(owner, service, extractor, pairs)
            read = wm.logits(extractor, wm.as_float(_answers(service, degraded)))
            if float(projection(read, service.image[0]).mean()) > LEAST_READ:
                break
        if self.adversarial:
            self._fine_tune(owner, service, extractor, pairs)
        return wm.Marked(service, replace(key, extractor=wm.Net.of(extractor)))

    def _initial(self, owner: wm.Owner, service: MarkedService, extractor: nn.Module, pairs: wm.BatchSource) -> None:
        """H, R and D together, on `pairs` of degraded images and what M makes of them.

        D takes its own step within each of theirs, with the papers' optimiser. Weights as in the papers: all 1 but
        `fidelity` on the embedding loss and .01 on the adversarial one.
        """
        critic = wm.Critic(owner.assemble({"builder": "patchgan", "channels": pairs.x.shape[1]}))

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            ((a, b),) = batches
            marked = service.embed(b)
            convincing = critic.loss(b, marked)
            read = reading_loss(extractor(torch.cat([marked, a, b])), service.image, len(marked))
            return self.fidelity * F.mse_loss(marked, b) + 0.01 * convincing + read

        both = nn.ModuleList([service.trunk, extractor])
        owner.fit(both, owner.recipe(epochs=self.epochs, lr=2e-3, **PAPERS), data=pairs, step=step)

    def _fine_tune(self, owner: wm.Owner, service: MarkedService, extractor: nn.Module, pairs: wm.BatchSource) -> None:
        """R alone, H frozen: it also reads what one surrogate of the house architecture answers (squared error)."""
        marked, truths = replace(pairs, targets=_answers(service, pairs.x)), owner.data.y
        surrogate = owner.fit(owner.build(), data=marked)
        stolen = _answers(surrogate, pairs.x)

        def step(batches: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
            (a, b), (ours, theirs), (truth, _) = batches
            images = torch.cat([ours, theirs, a, b, truth])
            return reading_loss(extractor(images), service.image, len(ours) + len(theirs))

        beside = [replace(pairs, x=marked.targets, targets=stolen), replace(pairs, x=truths, targets=truths)]
        owner.fit(extractor, owner.recipe(epochs=self.tuning, lr=1e-3, **PAPERS), data=pairs, step=step, beside=beside)

    def observe(self, suspect: wm.Suspect, key: DeepModelKey, court: wm.Court) -> wm.Observations:
        """The projection of R's answer on the secret, for each output on the judge's images.

        Printed beside it: the correlation with and without means, the papers' success, and what R reads in the
        judge's degraded and clean images and in flat grey ones, where nobody embedded anything.
        """
        device, degraded, clean = court.context.device, court.probe.images(), wm.as_float(court.probe.y)
        outputs = suspect.answers.to(device)
        extractor, image = key.extractor.module(device), wm.as_float(key.image).to(device)
        levels = torch.linspace(0, 1, len(clean), device=device).view(-1, 1, 1, 1).expand_as(clean)
        read = wm.logits(extractor, outputs.clamp(0, 1))
        correlation = normalised_correlation(read, image)
        channels = {
            "projection": projection(read, image),
            "nc": correlation,
            "nc_raw": F.cosine_similarity(read.flatten(1), image.flatten(), dim=1),
            "success": correlation > SUCCESS,
        }
        for name, images in (("degraded", degraded), ("clean", clean), ("flat", levels)):
            channels[name] = projection(wm.logits(extractor, images), image)
        return wm.Observations("projection", {name: wm.Channel(items) for name, items in channels.items()})

    def extractor(self, key: DeepModelKey, device: torch.device) -> Callable[[Tensor, Tensor], Tensor]:
        """R, whose answer (N, 1, H, W) is grey where there is no mark. It isn't shown the queries."""
        net = key.extractor.module(device).requires_grad_(False)
        return lambda _, answers: net(answers) - GREY

    @property
    def hash_bound(self) -> bool:
        """An image of the claimant's own follows from no hash: only its commitment shows that it came first."""
        return not self.secret_image

    def malformed(self, key: DeepModelKey) -> str | None:
        if key.image.min() == key.image.max():
            return "the secret image is blank"
        built = key.extractor.spec.get("builder")
        return None if built == EXTRACTOR else f"the extractor is a {built}, not a {EXTRACTOR}"

    def rebind(self, key: DeepModelKey, secret: bytes) -> DeepModelKey:
        return replace(key, secret=secret, image=self._image(secret, key.image.shape[1:]))

    def redraw(self, key: DeepModelKey, rng: torch.Generator) -> DeepModelKey:
        raise wm.NotApplicable("the extractor was trained for its own secret, and reads no other")


def projection(read: Tensor, image: Tensor) -> Tensor:
    """How much of `image` (1, H, W) lies in each answer (N, 1, H, W), means taken out: 1 is all of it, 0 nothing."""
    direction = (image - image.mean()).flatten()
    return (read - read.mean((1, 2, 3), keepdim=True)).flatten(1) @ direction / direction.square().sum()


def normalised_correlation(read: Tensor, image: Tensor) -> Tensor:
    """Pearson's correlation (N,) of each answer with `image`; 0 for a flat answer."""
    centred = (read - read.mean((1, 2, 3), keepdim=True)).flatten(1)
    return F.cosine_similarity(centred, (image - image.mean()).flatten(), dim=1)


def _answers(model: nn.Module, images: Tensor) -> Tensor:
    """What a net makes of uint8 images, as the 8-bit images that a service sends."""
    return wm.as_bytes(wm.logits(model, wm.as_float(images)))
