"""What the driver takes from a worker's message: nothing that the benchmark could not read again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmark.execution.outcomes import joined_runs, read_outcome
from benchmark.planning.job import Job


def line(job: Job, **changed: str) -> bytes:
    """A message; what its outcome's fields hold as JSON."""
    fields = {"status": '"ok"', "result": "{}", "run": "{}", **changed}
    outcome = ", ".join(f'"{name}": {text}' for name, text in fields.items())
    return f'{{"job": "{job.id}", "nonce": "n", "outcome": {{{outcome}}}}}'.encode()


def test_an_outcome_answers_for_its_job(job: Callable[..., Job]) -> None:
    told = line(job("a"), run='{"seconds": 1.5, "peak_memory_mb": 3, "mood": "good"}')
    assert read_outcome(told, job("a"), "n") == {
        "status": "ok", "reason": None, "damaged": None, "result": {},
        "run": {"seconds": 1.5, "peak_memory_mb": 3, "mood": "good"},
    }  # fmt: skip
    for other, nonce in ((job("a"), "another nonce"), (job("b"), "n")):
        with pytest.raises(ValueError, match="no outcome of this job"):
            read_outcome(told, other, nonce)


@pytest.mark.parametrize(
    ("field", "text", "wrong"),
    [
        ("run", f'{{"seconds": 1{"0" * 400}}}', "more than 64 bits"),
        ("run", '{"cpu_seconds": -1}', "times and memory must lie between 0 and 1e+09"),
        ("run", '{"peak_memory_mb": 1e10}', "times and memory must lie between 0 and 1e+09"),
        ("run", '{"seconds": true}', "run: seconds must be a number"),
        ("run", '{"hardware": ["a"]}', "run: hardware must be a text"),
        ("run", '{"traceback": 3}', "run: traceback must be a text"),
        ("run", "[]", "run must be a table"),
        ("run", '{"loss": NaN}', "a number that is not finite"),
        ("run", '{"loss": 1e999}', "a number that is not finite"),
        ("run", f'{{"loss": {"[" * 40 + "]" * 40}}}', "nested more than 32 deep"),
        ("status", '"fine"', "status must be one of"),
        ("result", '{"artefacts": {"key": 3}}', "artefacts: key must be a text"),
        ("reason", '"\\ud800"', "half a character"),
        ("other", "1", "unknown key 'other'"),
    ],
)
def test_what_could_not_be_read_again_is_a_crash(job: Callable[..., Job], field: str, text: str, wrong: str) -> None:
    outcome = read_outcome(line(job("a"), **{field: text}), job("a"), "n")
    assert (outcome["status"], outcome["result"], outcome["run"]) == ("crashed", {}, {})
    assert wrong in outcome["reason"]


def test_the_court_says_where_a_job_ran() -> None:
    made = {"seconds": 2.0, "peak_memory_mb": 9.0, "hardware": "made up", "changed": ["math.sqrt"]}
    court = {"seconds": 1.0, "peak_memory_mb": 4.0, "hardware": "CPU"}
    assert joined_runs(made, court) == {
        "seconds": 3.0, "peak_memory_mb": 9.0, "hardware": "CPU", "changed": ["math.sqrt"]
    }  # fmt: skip
