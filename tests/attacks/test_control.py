import torch

from attacks.control import NoAttack
from schemes.adi import Adi

ADI = Adi()


def test_no_attack_leaves_the_release_as_it_is(lab):
    marked = lab.embed(ADI)
    left = lab.attack(NoAttack(), marked, ADI)
    for name, tensor in marked.service.net.state.items():
        assert torch.equal(left.service.net.state[name], tensor)
    assert left.service.filters == ()
    assert set(left.cost.record().values()) == {0}
    assert lab.observe(ADI, left, marked.key) == lab.observe(ADI, marked)
