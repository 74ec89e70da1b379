import pytest
import torch

from attacks.finetune import Finetune
from attacks.prune import Prune, PruneRandom, PruneStructured
from benchmark.contract import Net, Owner, Thief, conv_blocks, logits
from benchmark.protocol.objects import Service
from benchmark.protocol.parties import stream
from schemes.adi import Adi
from schemes.passport import Passport
from schemes.rose import Rose

ADI, ROSE = Adi(), Rose()


def ranked(net):
    """The weights that compete: convolutions and the head."""
    return torch.cat([t.flatten() for name, t in net.state.items() if name.endswith(("conv.weight", "head.weight"))])


@pytest.mark.parametrize("amount", [0.0, 0.3, 0.5, 1.0])
def test_the_smallest_weights_of_all_layers_go(lab, amount):
    host = lab.null(100)
    before, after = ranked(host.service.net), ranked(lab.attack(Prune(amount), host).service.net)
    gone = after == 0
    assert int(gone.sum()) == round(amount * len(before))
    assert torch.equal(after[~gone], before[~gone])
    if 0 < amount < 1:
        assert before[gone].abs().max() <= before[~gone].abs().min()


def test_norms_and_biases_stay(lab):
    host = lab.null(100)
    after = lab.attack(Prune(1.0), host).service.net.state
    for name, tensor in host.service.net.state.items():
        assert torch.equal(tensor, after[name]) != name.endswith(("conv.weight", "head.weight")), name


def test_what_is_zero_already_counts(lab):
    host = lab.null(100)
    once, twice = (lab.attack(stages, host).service.net for stages in ((Prune(0.5),), (Prune(0.5), Prune(0.5))))
    assert torch.equal(ranked(once), ranked(twice))


@pytest.mark.parametrize("attack", [Prune, PruneRandom], ids=lambda attack: attack.name)
@pytest.mark.parametrize(("layers", "ends"), [("conv", "conv.weight"), ("dense", "head.weight")])
def test_one_kind_of_layer_alone_is_pruned(lab, attack, layers, ends):
    host = lab.null(100)
    after = lab.attack(attack(amount=0.4, layers=layers), host).service.net.state
    changed = {name for name, tensor in host.service.net.state.items() if not torch.equal(tensor, after[name])}
    assert changed == {name for name in after if name.endswith(ends)}
    zeros, size = sum(int((after[name] == 0).sum()) for name in changed), sum(after[name].numel() for name in changed)
    assert zeros == round(0.4 * size)


def test_random_pruning_draws_by_the_seed_and_not_by_size(lab):
    host = lab.null(100)
    before, after = ranked(host.service.net), ranked(lab.attack(PruneRandom(0.3), host).service.net)
    gone = after == 0
    assert int(gone.sum()) == round(0.3 * len(before))
    assert torch.equal(after[~gone], before[~gone])
    assert 0.9 < float(before[gone].abs().mean() / before[~gone].abs().mean()) < 1.1
    other = ranked(lab.attack(PruneRandom(0.3), host, None, 1).service.net)
    assert not torch.equal(other == 0, gone)
    more = ranked(lab.attack(PruneRandom(0.5), host).service.net)
    assert not more[gone].any()  # a sweep shares its draws


def test_random_pruning_hurts_the_task_where_magnitude_pruning_does_not(lab):
    """Kallas & Furon's pruning plots: at the first step both the mark and the model's use are gone."""
    marked = lab.embed(ROSE)
    ranked_out, drawn = (lab.attack(attack(amount=0.1), marked, ROSE) for attack in (Prune, PruneRandom))
    assert ranked_out.accuracy > marked.accuracy - 0.01
    assert drawn.accuracy < marked.accuracy - 0.3
    assert lab.total(lab.observe(ROSE, drawn, marked.key)) < 20
    dense = lab.attack(PruneRandom(0.3, layers="dense"), marked, ROSE)
    assert dense.accuracy > marked.accuracy - 0.05
    assert lab.total(lab.observe(ROSE, dense, marked.key)) >= 30


@pytest.mark.parametrize(("scheme", "strong", "weak"), [(ADI, 90, 75), (ROSE, 30, 20)], ids=["adi", "rose"])
def test_marks_fade_and_utility_falls_with_the_amount(lab, scheme, strong, weak):
    marked = lab.embed(scheme)
    light, heavy = (lab.attack(Prune(amount), marked, scheme) for amount in (0.3, 0.8))
    assert lab.total(lab.observe(scheme, light, marked.key)) >= strong
    assert lab.total(lab.observe(scheme, heavy, marked.key)) < weak
    assert light.accuracy > marked.accuracy - 0.03
    assert heavy.accuracy < 0.9


@pytest.mark.parametrize("architecture", ["convnet", "resnet8"])
@pytest.mark.parametrize("amount", [0.25, 0.8])
def test_cut_channels_compute_as_if_silenced_and_the_net_describes_itself(lab, architecture, amount):
    owner = Owner(lab.context, lab.splits.owner, stream("prune", architecture))
    whole = owner.build(architecture)
    with torch.no_grad():  # a mark on every channel, by which it is known again
        for _, block in conv_blocks(whole):
            block.norm.running_mean.normal_(generator=owner.rng)
    service = Service(Net.of(whole))
    cut = PruneStructured(amount).run(Thief(lab.context, lab.splits.thief, owner.rng, service.running(), "weights"))

    silenced = service.net.module()
    for (name, before), (_, after) in zip(conv_blocks(silenced), conv_blocks(cut), strict=True):
        kept = torch.isin(before.norm.running_mean, after.norm.running_mean)
        assert int(kept.sum()) == after.conv.out_channels == int(len(kept) * (1 - amount)), name
        before.norm.weight.data[~kept] = 0
        before.norm.bias.data[~kept] = 0
    x = lab.splits.test.images()[:50]
    torch.testing.assert_close(logits(cut, x), logits(silenced, x), rtol=0, atol=1e-5)
    assert torch.equal(logits(Net.of(cut).module(), x), logits(cut, x))


def test_channel_pruning_hurts_alone_and_is_healed_by_fine_tuning(lab):
    marked = lab.embed(ROSE)
    cut = lab.attack(PruneStructured(), marked, ROSE)
    healed = lab.attack((PruneStructured(), Finetune()), marked, ROSE)
    assert cut.accuracy < 0.8
    assert healed.accuracy > 0.95
    assert lab.total(lab.observe(ROSE, healed, marked.key)) < 15  # P(Bin(40, 1/10) >= 15) = 3e-6


def test_passport_bits_outlive_small_weights_but_not_changed_shapes(lab):
    passport = Passport()
    marked = lab.embed(passport)
    thin, cut = (lab.attack(attack, marked, passport) for attack in (Prune(0.5), PruneStructured(0.1)))
    assert thin.service.net.spec == marked.service.net.spec
    assert lab.total(lab.observe(passport, thin, marked.key)) >= 90
    assert "channels" in lab.observe(passport, cut, marked.key)["unreadable"]
