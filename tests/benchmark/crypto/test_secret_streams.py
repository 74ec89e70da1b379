"""Streams that follow from a secret: named like public ones, and out of reach of whoever knows the names alone."""

import pytest
import torch

from benchmark.crypto.secret_streams import SecretStreams, keyed_generator
from benchmark.protocol.parties import stream

OURS, THEIRS = SecretStreams(b"o" * 32), SecretStreams(b"t" * 32)
NAME = (0, "owner-key", "adi", "digits")


def drawn(rng: torch.Generator) -> list[int]:
    return torch.randint(2**62, (8,), generator=rng).tolist()


def test_a_name_and_a_secret_give_one_stream():
    assert drawn(OURS.stream(*NAME)) == drawn(OURS.stream(*NAME))
    assert OURS.seed(*NAME) == OURS.seed(*NAME)


def test_another_secret_or_name_gives_another_stream():
    streams = OURS.stream(*NAME), THEIRS.stream(*NAME), OURS.stream(1, *NAME[1:]), stream(*NAME)
    assert len({tuple(drawn(one)) for one in streams}) == len(streams)


def test_the_whole_state_follows_from_the_key():
    """torch seeds its generator with 32 bits, all of which a thief could try."""
    alike = [b"low words" + bytes(19) + end for end in (b"abcd", b"efgh")]
    states = [keyed_generator(key).get_state() for key in alike]
    words = [state[24 : 24 + 8 * 624].view(torch.int64) for state in states]
    assert all(int(one.min()) >= 0 and int(one.max()) < 2**32 for one in words)
    assert int((words[0] == words[1]).sum()) < 4
    assert drawn(keyed_generator(alike[0])) != drawn(keyed_generator(alike[1]))


def test_draws_are_uniform_and_normal():
    rng = OURS.stream("many")
    uniform, normal = torch.rand(200_000, generator=rng), torch.randn(200_000, generator=rng)
    assert abs(float(uniform.mean()) - 0.5) < 0.003
    assert abs(float(uniform.var()) - 1 / 12) < 0.001
    assert abs(float(normal.mean())) < 0.01
    assert abs(float(normal.std()) - 1) < 0.01


def test_a_secret_has_32_bytes_and_stays_out_of_messages():
    with pytest.raises(ValueError, match="32 bytes, not 3"):
        SecretStreams(b"abc")
    assert "6f6f" not in repr(OURS)
    assert "ooo" not in repr(OURS)
