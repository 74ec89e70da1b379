"""Where compiled steps of training are kept between the processes of a run, and between runs: each side has its own.

What lies there is code that the next process runs. So nobody may write into the cache of another side: a thief could
have the owner carry out his code, and an insider could pass a key on. Somebody else's code is never compiled
(`benchmark.training.engine`) and gets no cache at all. A cache that only the owner writes would serve nobody else,
since a thief trains other nets in other batches.
"""

from __future__ import annotations

import os
from pathlib import Path

from benchmark.planning.job import Job


def cache_folder(root: Path, side: str, job: Job | None) -> Path | None:
    """The cache of a process that serves `side` for the store `root`; None for one that runs somebody else's code.

    job: the only one that it carries out, which for a keyholder means others' code; None where there are many, all of
    the benchmark's own.
    """
    if side == "suspect" or (job is not None and (side == "keyholder" or job.foreign)):
        return None
    return root / "compiled" / side


def share_compiled(folder: str) -> None:
    """Have torch's compiler keep what it makes in `folder`."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
    os.environ["TRITON_CACHE_DIR"] = os.path.join(folder, "triton")
