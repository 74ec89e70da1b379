"""Steps that are recorded once and repeated: the whole step as one CUDA graph, compiled where that pays."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

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
    before, once, side = Snapshot(), Meter(), _side_stream(device)
    # what cudnn chose for a shape is kept by these settings: what is chosen by trial later needs others
    with _cudnn(deterministic=True), _beside(side), before.watching(), counted(once):
        run()
    before.restore()
    compiler = engine.compiler if engine.compiles(steps, once.operations) else ""
    try:
        with uncounted():
            yield _recorded(run, before, side, compiler)
    finally:
        _compile(before.nets, "")


def _recorded(run: Repeat, before: Snapshot, side: torch.cuda.Stream | None, compiler: str) -> Repeat | None:
    for backend in (compiler, "") if compiler else ("",):
        try:
            _compile(before.nets, backend)
            by_trial = bool(backend) or torch.backends.cudnn.benchmark  # takes seconds, as compiling does
            with _beside(side), _cudnn(benchmark=by_trial):
                for _ in range(WARM_UPS):
                    run()
            return recorded(run, side)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:
            what = ("can't be compiled", "uncompiled") if backend else ("can't be captured", "step by step")
            cause = error.__context__ or error  # the end of a capture that failed has its own complaint
            why = " ".join(f"{type(cause).__name__}: {cause}".split())[:300]
            print(f"a training step {what[0]}, and training goes on {what[1]} ({why})", file=sys.stderr, flush=True)
        finally:
            before.restore()
    return None


def recorded(run: Repeat, side: torch.cuda.Stream | None) -> Repeat:
    """`run` as a CUDA graph, to be replayed, captured on a stream beside the usual one; on a CPU `run` itself."""
    if side is None:
        return run
    graph, pool, usual = torch.cuda.CUDAGraph(), torch.cuda.graph_pool_handle(), torch.cuda.current_stream(side.device)
    try:
        with torch.cuda.graph(graph, pool=pool, stream=side):
            run()
    except BaseException:
        torch.cuda.set_stream(usual)  # what torch leaves undone where the end of a capture fails, too
        for undo in ("_cuda_endAllocateToPool", "_cuda_releasePool"):
            with suppress(Exception):  # it was done, or this torch has another name for it
                getattr(torch._C, undo)(side.device.index, pool)
        raise
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


def _side_stream(device: torch.device) -> torch.cuda.Stream | None:
    """A stream of a GPU for warm-ups and captures; what an earlier one's memory held goes back. None on a CPU."""
    if device.type != "cuda":
        return None
    torch.cuda.empty_cache()
    return torch.cuda.Stream(device)


@contextmanager
def _beside(side: torch.cuda.Stream | None) -> Iterator[None]:
    """Work on this stream, as a warm-up for a capture must, in turn with the usual one."""
    if side is None:
        yield
        return
    usual = torch.cuda.current_stream(side.device)
    side.wait_stream(usual)
    try:
        with torch.cuda.stream(side):
            yield
    finally:
        usual.wait_stream(side)


@contextmanager
def _cudnn(**settings: bool) -> Iterator[None]:
    """Have cudnn choose kernels by these settings."""
    before = {name: getattr(torch.backends.cudnn, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(torch.backends.cudnn, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(torch.backends.cudnn, name, value)
