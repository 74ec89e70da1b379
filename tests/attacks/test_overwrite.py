import pytest
import torch

from attacks.overwrite import Overwrite
from benchmark.contract import Key, Marked, Net, NotApplicable, Scheme, conv_blocks
from schemes.adi import Adi
from schemes.passport import Passport
from schemes.rose import Rose

ADI, FINETUNED, ROSE = Adi(), Adi(mode="finetune", lr=0.02), Rose()


class Watched(Adi):
    """Adi, with the keys and nets it is given kept."""

    seen: list[tuple[Key, Net, Net]] = []  # noqa: RUF012

    def mark(self, owner, model, key, recipe):
        self.seen.append((key, Net.of(model), Net.of(owner.host)))
        return super().mark(owner, model, key, recipe)


def test_the_thief_marks_the_stolen_net_with_a_key_of_his_own(lab):
    """He starts from the stolen weights; his mark is in afterwards, and it is not the owner's."""
    marked = lab.embed(ADI)
    Watched.seen.clear()
    stolen = lab.attack.__wrapped__(Overwrite(), marked, Watched())
    ((key, start, host),) = Watched.seen
    for name, tensor in marked.service.net.state.items():
        assert torch.equal(start.state[name], tensor)
        assert torch.equal(host.state[name], tensor)
    assert key.secret != marked.key.secret
    assert lab.total(lab.observe(ADI, stolen, key)) >= 95
    assert stolen.key is None  # a removal claims nothing


@pytest.mark.parametrize(
    ("scheme", "low", "high"), [(ADI, 50, 90), (FINETUNED, 50, 90), (ROSE, 0, 14)], ids=["adi", "adi-host", "rose"]
)
def test_how_much_of_the_first_mark_outlives_the_second(lab, scheme, low, high):
    marked = lab.embed(scheme)
    after = lab.attack(Overwrite(), marked, scheme)
    assert low <= lab.total(lab.observe(scheme, after, marked.key)) < high
    assert after.accuracy > 0.9


def test_a_higher_rate_leaves_less(lab):
    marked = lab.embed(ADI)
    left = [
        lab.total(lab.observe(ADI, lab.attack(Overwrite(lr), marked, ADI), marked.key)) for lr in (0.002, 0.02, 0.05)
    ]
    assert left[0] > left[1] > left[2]


def test_the_work_is_counted_and_the_data_is_the_thiefs(lab):
    cost = lab.attack(Overwrite(epochs=2), lab.embed(ADI), ADI).cost.record()
    assert (cost["labelled"], cost["queries"], cost["steps"]) == (400, 0, 12)
    assert cost["samples"] == 12 * (64 + ADI.k)


@pytest.mark.parametrize(("recipe", "low", "high"), [("shuffle", 30, 66), ("signed", 90, 96)])
def test_passports_of_one_sign_are_overwritten_and_signed_ones_are_not(lab, recipe, low, high):
    """Activations are never negative, so a stranger's passports move the very sums of filters the owner's read."""
    scheme = Passport(recipe=recipe)
    marked = lab.embed(scheme)
    after = lab.attack(Overwrite(), marked, scheme)
    assert low <= lab.total(lab.observe(scheme, after, marked.key)) <= high
    assert after.accuracy > marked.accuracy - 0.03


def test_a_net_that_derives_its_scales_is_folded_first(lab):
    """The scheme is handed an ordinary net, whatever the release was made of."""
    passport = Passport()
    seen = []

    class Plain(Passport):
        def mark(self, owner, model, key, recipe):
            seen.append((model.spec()["builder"], Net.of(owner.host).spec["builder"]))
            assert list(conv_blocks(model))
            return Marked(model, key)

    lab.attack.__wrapped__(Overwrite(), lab.embed(passport), Plain())
    assert seen == [("convnet", "convnet")]


def test_a_scheme_that_can_not_mark_a_given_net_is_not_applicable(lab):
    class Wordless(Scheme):
        name = "wordless"
        keygen = embed = observe = rebind = None

    with pytest.raises(NotApplicable, match="overwrite needs a scheme with overwrite, and wordless has none"):
        lab.attack(Overwrite(), lab.embed(ADI), Wordless())
    with pytest.raises(NotApplicable, match="no scheme"):
        lab.attack(Overwrite(), lab.null(100))
