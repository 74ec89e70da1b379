import pytest
import torch

from attacks.finetune import Finetune
from attacks.prune import Prune
from attacks.quantize import CALIBRATION, Quantize, RoundedInput
from benchmark.contract import as_float, entering, plain
from schemes.adi import Adi
from schemes.passport import Passport

ROUNDED = ("conv.weight", "head.weight")


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_every_channel_lies_on_its_own_symmetric_grid(lab, bits):
    host = lab.null(100)
    after, levels = lab.attack(Quantize(bits), host).service.net.state, 2 ** (bits - 1) - 1
    for name, weight in host.service.net.state.items():
        if not name.endswith(ROUNDED):
            assert torch.equal(after[name], weight), name
            continue
        rows, rounded = weight.flatten(1), after[name].flatten(1)
        step = rows.abs().amax(1, keepdim=True) / levels
        whole = rounded / step
        torch.testing.assert_close(whole, whole.round(), rtol=0, atol=1e-4)
        assert whole.abs().max() < levels + 0.01
        assert ((rounded - rows).abs() <= step * 0.501).all()
        assert not torch.equal(rounded, rows)


def test_sixteen_bits_are_half_precision(lab):
    host = lab.null(100)
    after = lab.attack(Quantize(16), host).service.net.state
    for name, weight in host.service.net.state.items():
        assert torch.equal(after[name], weight.half().float() if name.endswith(ROUNDED) else weight), name


def test_a_channel_of_zeros_stays_zero(lab):
    rounded = lab.attack((Prune(1.0), Quantize(4)), lab.null(100)).service.net.state
    assert all(not tensor.any() for name, tensor in rounded.items() if name.endswith(ROUNDED))


def test_eight_bits_keep_mark_and_task_two_bits_neither(lab):
    adi = Adi()
    marked = lab.embed(adi)
    fine, coarse = (lab.attack(Quantize(bits), marked, adi) for bits in (8, 2))
    hits, few = (lab.total(lab.observe(adi, thief, marked.key)) for thief in (fine, coarse))
    assert hits >= 90
    assert fine.accuracy > marked.accuracy - 0.02
    assert few < 60
    assert coarse.accuracy < 0.9


INTEGER = Quantize(8, activations=True)


def seen_by_layers(net, x):
    """What each layer of a quantised net computes with, for images x: its rounded input."""
    found = {}
    for name, module in net.named_modules():
        if isinstance(module, RoundedInput):
            module.layer.register_forward_pre_hook(lambda _, given, name=name: found.setdefault(name, given[0]))
    net(x)
    return found


def test_what_enters_a_layer_lies_on_256_levels_of_the_thiefs_range(lab):
    """The ranges are those of his images: what the judge asks can't move them, and is cut off where it must be."""
    host = lab.null(100)
    net, rounded = lab.attack(INTEGER, host).service.net.module(), lab.attack(Quantize(8), host).service.net.module()
    own, x = (as_float(data.x[:CALIBRATION]) for data in (lab.splits.thief, lab.splits.test))
    names = [f"blocks.{at}.conv" for at in range(3)] + ["head"]
    ranges = entering(rounded, names, own)  # by the same weights, unrounded
    for (name, given), calibrated in zip(seen_by_layers(net.host, x).items(), ranges, strict=True):
        assert name in names
        low, high = min(0.0, float(calibrated.min())), max(0.0, float(calibrated.max()))
        step = (high - low) / 255
        levels = given / step
        torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)
        assert 16 < len(levels.round().unique()) <= 256
        assert given.max() <= high + step
        assert given.min() >= low - step


def test_an_integer_net_keeps_mark_and_task_and_answers_otherwise_than_rounded_weights(lab):
    adi = Adi()
    marked = lab.embed(adi)
    whole, weights = (lab.attack(one, marked, adi) for one in (INTEGER, Quantize(8)))
    assert lab.total(lab.observe(adi, whole, marked.key)) >= 90
    assert whole.accuracy > marked.accuracy - 0.02
    x = as_float(lab.splits.test.x)
    ours, theirs = (one.service.net.module()(x) for one in (whole, weights))
    assert not torch.equal(ours, theirs)
    assert (ours - theirs).abs().mean() < 0.1 * theirs.std()
    assert (whole.cost.labelled, whole.cost.unlabelled, whole.cost.queries) == (0, len(lab.splits.thief), 0)


def test_further_attacks_and_courts_find_the_plain_net(lab):
    scheme = Passport()
    marked = lab.embed(scheme)
    whole = lab.attack(INTEGER, marked, scheme)
    assert lab.total(lab.observe(scheme, whole, marked.key)) == 96
    assert plain(whole.service.net.module()).spec() == marked.service.net.spec["host"]
    on = lab.attack((INTEGER, Finetune(epochs=1)), marked, scheme)
    assert on.service.net.spec == marked.service.net.spec["host"]
    cut = lab.attack((INTEGER, Prune(0.5)), marked, scheme)
    assert cut.service.net.spec == whole.service.net.spec
    assert lab.total(lab.observe(scheme, cut, marked.key)) >= 90
