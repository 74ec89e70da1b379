import pytest
import torch

from attacks.prune import Prune
from attacks.quantize import Quantize
from schemes.adi import Adi

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
