"""Steps that are recorded once and repeated: the whole step as one CUDA graph, compiled where that pays."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from benchmark.training.engine import Engine
from benchmark.training.flops import Meter, counted, uncounted
from benchmark.training.snapshot import Snapshot

Repeat = Callable[[], object]  # carries out a step on whatever lies in its inputs
WARM_UPS = 3  # before a capture: kernels are compiled and chosen, workspaces made
KINDS = 128  # of nets and batches that one process may compile


@contextmanager
def repeating(run: Repeat, steps: int, device: torch.device, engine: Engine) -> Iterator[Repeat | None]:
    """What repeats `run`, a step that will be carried out `steps` times; None where it can't be captured.

    `run` is carried out a few times first, and all that this changes is put back: also where a compiler or a capture
    fails, which is said in a sentence. The first of these runs is counted, the others are not.
    """
    before, once = Snapshot(), Meter()
    with _beside(device), before.watching(), counted(once):
        run()
    before.restore()
    compiler = engine.compiler if engine.compiles(steps, once.operations) else ""
    try:
        with uncounted():
            yield _recorded(run, before, device, compiler)
    finally:
        _compile(before.nets, "")


def _recorded(run: Repeat, before: Snapshot, device: torch.device, compiler: str) -> Repeat | None:
    for backend in (compiler, "") if compiler else ("",):
        try:
            _compile(before.nets, backend)
            with _beside(device), _kernels_by_trial(bool(backend)):
                for _ in range(WARM_UPS):
                    run()
            return recorded(run, device)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            what = ("can't be compiled", "uncompiled") if backend else ("can't be captured", "step by step")
            why = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            print(f"a training step {what[0]}, and training goes on {what[1]} ({why})", file=sys.stderr, flush=True)
        finally:
            before.restore()
    return None


def recorded(run: Repeat, device: torch.device) -> Repeat:
    """`run` as a CUDA graph, to be replayed; on a CPU, which has none, `run` itself."""
    if device.type != "cuda":
        return run
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def _compile(nets: Sequence[nn.Module], backend: str) -> None:
    """Compile the nets in place, or undo it where `backend` is ""."""
    if backend:
        torch._dynamo.config.recompile_limit = KINDS  # torch counts all nets of a process together, and stops at 8
    if backend == "inductor":
        importlib.import_module("torch._inductor.compile_fx")  # by which `ProcessState` knows that it was used
    for net in nets:
        if backend:
            net.compile(backend=backend, dynamic=False)
        else:
            net._compiled_call_impl = None  # there is no public way back


@contextmanager
def _beside(device: torch.device) -> Iterator[None]:
    """Work on a stream beside the usual one, as a warm-up for a capture must; on a CPU there is only one."""
    if device.type != "cuda":
        yield
        return
    usual, side = torch.cuda.current_stream(device), torch.cuda.Stream(device)
    side.wait_stream(usual)
    try:
        with torch.cuda.stream(side):
            yield
    finally:
        usual.wait_stream(side)


@contextmanager
def _kernels_by_trial(wanted: bool) -> Iterator[None]:
    """Let cudnn try its kernels for each new shape, which takes seconds: for steps that are compiled, too."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = wanted or before
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
