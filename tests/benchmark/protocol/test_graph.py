"""A net of an unknown builder is read by what it computes, and by nothing that its maker says of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmark.architectures.fusing import fused
from benchmark.architectures.net import build
from benchmark.contract import conv_blocks, entering
from benchmark.protocol.court import Opaque
from benchmark.protocol.graph import Operator, fitted, traced
from benchmark.protocol.objects import Running, Service
from benchmark.protocol.parties import stream
from schemes.passport_net import PassportNet

SHAPE = (2, 1, 16, 16)
TASK = {"classes": 10, "mean": [0.3], "std": [0.35]}
X = torch.rand(6, *SHAPE[1:], generator=stream("images"))


class Wrapper(nn.Module):
    """A net in a module of somebody's own, behind a convolution that does nothing."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.still = inner, nn.Conv2d(1, 1, 1)
        self.still.weight.data.fill_(1.0)
        self.still.bias.data.fill_(0.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.still(x)) * 1.0


def net(builder: str, **arguments: Any) -> nn.Module:
    """A net whose normalisations have met data."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = build({"builder": builder, **TASK, **arguments}).train()
        model(torch.rand(32, *SHAPE[1:]))
    return model.eval()


@pytest.mark.parametrize(
    "model",
    [
        net("convnet"), net("convnet", norm="group"), net("resnet8"), net("resnet8", norm="group"), net("lenet"),
        net("resnet18", width=4), net("wide-resnet", depth=10, width=1), net("keynet-cnn", width=4, hidden=32),
        net("vit", width=16, depth=2),
    ],
    ids=lambda model: f"{model.spec()['builder']} {model.spec().get('norm', '')}".strip(),
)  # fmt: skip
def test_wrapped_weights_are_found_in_every_architecture(model: nn.Module) -> None:
    found = fitted(traced(Wrapper(model), SHAPE), model.spec(), SHAPE)  # type: ignore[operator]
    assert found is not None
    assert weights(found) == weights(model)


def weights(model: nn.Module) -> dict[str, Any]:
    """Every tensor but the counters of batches."""
    return {name: one.tolist() for name, one in model.state_dict().items() if "num_batches" not in name}


def test_scales_that_passports_derive_are_folded_into_the_norm() -> None:
    host = net("convnet")
    names = [name for name, _ in conv_blocks(host)][-2:]
    passports = {
        name: (entered, entered.flip(1)) for name, entered in zip(names, entering(host, names, X[:1]), strict=True)
    }
    model = PassportNet.of(host, passports).eval()
    found = fitted(traced(Wrapper(model), SHAPE), model.spec(), SHAPE)
    assert found is not None
    assert found.spec() == host.spec()  # type: ignore[operator]
    assert torch.allclose(found(X), model(X), atol=1e-5)


def test_a_net_of_other_widths_describes_itself() -> None:
    small = net("convnet", widths=[9, 20, 33])
    found = fitted(traced(Wrapper(small), SHAPE), net("convnet").spec(), SHAPE)  # type: ignore[operator]
    assert found is not None
    assert found.spec()["widths"] == [9, 20, 33]  # type: ignore[operator]
    assert torch.equal(found(X), small(X))


def test_another_architecture_does_not_fit() -> None:
    assert fitted(traced(net("lenet"), SHAPE), net("resnet8").spec(), SHAPE) is None  # type: ignore[operator]
    broken = [Operator(one.name, one.tensors) for one in traced(net("convnet"), SHAPE)]
    broken[0] = Operator("conv2d", (torch.zeros(7, 1, 3, 3), None))  # which no batch norm of 16 channels follows
    assert fitted(broken, net("convnet").spec(), SHAPE) is None  # type: ignore[operator]


def suspect(lab: Any, model: nn.Module, running: Any = None) -> Any:
    """A suspect of a builder that the court doesn't know; it was made from `lab`'s first null."""
    from dataclasses import replace

    from benchmark.protocol.court import Suspect

    null, court = lab.null(0).service, lab.court("graph")
    strange = Service(replace(null.net, spec={"builder": "mine", "inner": null.net.spec}))
    running = running or Running(model)
    return Suspect(strange, running, court.answers(running), "weights", court)


def test_a_court_reads_a_wrapped_net_and_believes_only_what_answers_alike(lab: Any) -> None:
    model = lab.null(0).service.net.module()
    read = suspect(lab, Wrapper(model)).net()
    assert weights(read) == weights(model)

    class Liar:
        """Answers like one net and shows another."""

        def ask(self, x: Tensor, access: Any) -> Tensor:
            return Running(model).ask(x, access)

        def graph(self, shape: Any) -> list[Operator]:
            return traced(lab.null(1).service.net.module(), shape)

    with pytest.raises(Opaque, match="no net that the court knows computes what the net of the builder 'mine' does"):
        suspect(lab, model, Liar()).net()


def test_an_export_with_fused_normalisation_is_read_with_its_normalisation_behind_it(lab: Any) -> None:
    model = lab.null(0).service.net.module()
    read = suspect(lab, Wrapper(fused(model))).net()
    assert read.spec() == model.spec()
    x = lab.splits.test.images()
    torch.testing.assert_close(read(x), model(x), rtol=1e-3, atol=1e-3)


class Pair(nn.Module):
    """Two nets, of which a tracer meets the other first; the scores are those of the second alone, as `form` has them.

    "stretched": with a class beside them that never wins.
    """

    def __init__(self, face: nn.Module, net: nn.Module, form: str) -> None:
        super().__init__()
        self.face, self.net, self.form = face, net, form

    def forward(self, x: Tensor) -> Tensor:
        self.face(x)
        scores = self.net(x)
        return nn.functional.pad(scores, (0, 1), value=-1e9) if self.form == "stretched" else scores * 1e-6


@pytest.mark.parametrize("form", ["tiny", "stretched"])
def test_scores_of_another_scale_hide_no_net(lab: Any, form: str) -> None:
    """Any net came near enough to scores that were all next to nothing."""
    face, model = (lab.null(one).service.net.module() for one in (1, 0))
    with torch.no_grad():
        if form == "tiny":
            face.head.weight.mul_(1e-7)
            face.head.bias.mul_(1e-7)
    with pytest.raises(Opaque):
        suspect(lab, Pair(face, model, form)).net()


@pytest.mark.parametrize("share", [1e-6, 0.0, 1.0])
def test_a_net_is_read_whatever_its_scores_are_worth(lab: Any, share: float) -> None:
    """One that was cooled, or pruned to death, and one that is neither."""
    model = lab.null(0).service.net.module()
    with torch.no_grad():
        model.head.weight.mul_(share)
        model.head.bias.mul_(share)
    assert weights(suspect(lab, Wrapper(model)).net()) == weights(model)


def test_weights_that_a_net_hides_from_the_court_are_not_read(lab: Any) -> None:
    class Coded(nn.Module):
        """Its last layer is negated at rest, which is read; or computed by its own arithmetic, which is not."""

        def __init__(self, plainly: bool) -> None:
            super().__init__()
            self.body, self.plainly = lab.null(0).service.net.module(), plainly
            self.negated, self.bias = -self.body.head.weight.detach(), self.body.head.bias
            self.body.head = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            if self.plainly:
                return nn.functional.linear(self.body(x), -self.negated, self.bias)
            return (self.body(x)[:, None] * -self.negated).sum(2) + self.bias

    plain = lab.null(0).service.net.module()
    assert torch.equal(suspect(lab, Coded(True)).net()(X), plain(X))

    with pytest.raises(Opaque):
        suspect(lab, Coded(False)).net()
