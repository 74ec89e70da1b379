from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from attacks.serving.jpeg import Compression, Jpeg
from benchmark.contract import Net, NotApplicable, Thief, as_bytes
from benchmark.protocol.parties import stream
from schemes.adi import Adi


def pictures(channels):
    """Smooth pictures with a little noise, (4, channels, 24, 16)."""
    ramp = torch.linspace(0, 1, 24).view(1, 1, 24, 1) * torch.linspace(1, 0.2, channels).view(1, channels, 1, 1)
    return (ramp + 0.1 * torch.rand(4, channels, 24, 16, generator=stream("jpeg"))).clamp(0, 1)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB")])
def test_each_image_is_what_pillow_makes_of_it(channels, mode):
    x = pictures(channels)
    out = Compression(50)(x)
    assert out.shape == x.shape
    for image, compressed in zip(as_bytes(x), as_bytes(out), strict=True):
        file = BytesIO()
        source = Image.fromarray(image[0].numpy() if mode == "L" else image.permute(1, 2, 0).numpy())
        assert source.mode == mode
        source.save(file, format="jpeg", quality=50)
        expected = torch.from_numpy(np.array(Image.open(file))).view(24, 16, channels).permute(2, 0, 1)
        assert torch.equal(compressed, expected)


def test_lower_quality_is_coarser_and_the_result_repeats():
    x = pictures(1)
    errors = [float((Compression(quality)(x) - x).abs().mean()) for quality in (95, 75, 50, 10)]
    assert errors == sorted(errors)
    assert errors[0] < 0.01
    assert errors[-1] > 2 * errors[0]
    assert torch.equal(Compression(50)(x), Net.of(Compression(50)).module()(x))


def test_the_model_is_served_as_released_behind_the_codec(lab):
    adi = Adi()
    marked = lab.embed(adi)
    coarse, fine = (lab.attack(Jpeg(quality), marked, adi) for quality in (1, 75))
    assert [f.spec for f in coarse.service.filters] == [{"builder": "jpeg", "quality": 1}]
    for name, tensor in marked.service.net.state.items():
        assert torch.equal(coarse.service.net.state[name], tensor)
    few, many = (lab.total(lab.observe(adi, thief, marked.key)) for thief in (coarse, fine))
    assert few + 10 < many
    assert coarse.accuracy < fine.accuracy
    assert fine.accuracy > marked.accuracy - 0.02


def test_only_grey_and_colour_images_can_be_compressed(lab):
    context = replace(lab.context, task=replace(lab.context.task, shape=(4, 16, 16)))
    with pytest.raises(NotApplicable, match="1 or 3 channels"):
        Jpeg().run(Thief(context, lab.splits.thief, stream("jpeg"), None, "labels"))
