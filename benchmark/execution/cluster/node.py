"""What serves one side on one node of a cluster: an actor of Ray that carries out steps as the local executor does."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from benchmark.data.tasks import DATA_ROOT, find_task
from benchmark.digest.code_digest import engine_hash
from benchmark.errors import BenchError
from benchmark.execution.attempt import Attempt, Finished
from benchmark.execution.cluster.orders import Order, Parcel, Report
from benchmark.execution.cluster.portable import unpacked
from benchmark.execution.doctor import versions
from benchmark.execution.executor import LocalExecutor
from benchmark.execution.walls import FOLDERS, TaskFiles, task_files
from benchmark.files import MOST_TENSORS, content, write_whole
from benchmark.store.records import RecordStore

LEFT_ROLES = ("service", "key", "answers")  # of the artefacts that a step may leave
_TURN_SECONDS = 0.02  # after which a new order is seen while others run
_LOG_BYTES = 100_000  # of the end of a log
# Removes the folder when the actor is gone, however it went, and what its processes left when they are gone as well. It
# is no child of the actor's, since Ray ends those.
_REMOVE = """
exec 3<&0
{ read _ <&3; rm -rf "$0"; sleep 2; rm -rf "$0"; rmdir "$(dirname "$0")" 2>/dev/null; } >/dev/null 2>&1 &
"""


class StepServer:
    """Carries out the steps of one side, in processes with walls, below a folder of its own on the node's disk.

    That folder has a store in it with what the steps that run just now may read: no thief's ever brings a key there. It
    goes when the actor does. token: of the run. name: of this server among `servers`, into whose folders nobody here
    may look.
    """

    def __init__(self, token: str, name: str, servers: Sequence[str]) -> None:
        base = Path(tempfile.gettempdir()) / f"watermark-bench-{token}"
        self._folder, self._others = base / name, [str(base / one) for one in servers if one != name]
        self._root = self._folder / "store"
        self._store = RecordStore(self._root)
        self._orders: queue.SimpleQueue[tuple[Attempt | None, Future[Any]] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._there: dict[str, str] = {}  # the digest of each file that came here
        self._users: Counter[str] = Counter()  # how many steps need it just now
        self._alive = os.pipe()  # which closes when this process ends
        self._thread: threading.Thread | None = None

    def versions(self) -> dict[str, str]:
        """What must be the same on every node, by name."""
        own = {"engine": engine_hash()}
        return {name: found.partition("+")[0] for name, found in versions().items()} | own

    def open(self, slots: int, context: Mapping[str, Any], entry: str, descriptions: Mapping[str, Parcel]) -> str:
        """Get ready for `slots` steps at a time; returns the folder.

        context: that of the local executor; the paths in it are the driver's, which this node may see as well.
        """
        self._folder.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(self._folder, ignore_errors=True)  # of an actor that died here
        self._folder.mkdir(mode=0o700)
        with open(self._alive[0]) as end:
            subprocess.run(["sh", "-c", _REMOVE, str(self._folder)], stdin=end, start_new_session=True, check=True)
        for name, mode in FOLDERS.items():
            (self._root / name).mkdir(mode, parents=True)
        (self._folder / "data").mkdir()
        hidden = [*context["hidden"], context["root"], *self._others, *_prepared_here(context["data"])]
        os.environ[DATA_ROOT], os.environ["XDG_CACHE_HOME"] = str(self._folder / "data"), str(self._folder / "cache")
        self._fetch(descriptions)
        machine = {**context, "root": str(self._root), "hidden": hidden}
        machine["data"] = _merged(task_files(context["data"]), context["data"])
        self._thread = threading.Thread(target=self._serve, args=(LocalExecutor(slots, machine, entry),), daemon=True)
        self._thread.start()
        return str(self._folder)

    def run(self, order: Order) -> Report:
        """Carry out a step; several calls at a time. Raises BenchError where no process can be started."""
        attempt = replace(order.attempt, job=unpacked(order.attempt.job, self._folder))
        try:
            self._fetch(order.files)
            finished = self._handed_over(attempt)
            return Report(replace(finished, job=order.attempt.job), self._left(attempt), self._log(finished))
        finally:
            self._release(order.files)

    def rest(self) -> None:
        """End idle processes, which hold memory that a job beside them needs."""
        self._handed_over(None)

    def close(self) -> None:
        """Abandon what is running and free everything."""
        if self._thread is not None:
            self._orders.put(None)
            self._thread.join()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _handed_over(self, attempt: Attempt | None) -> Any:
        """Have the thread that owns the executor carry out an attempt, or else let it rest; returns how that ended."""
        done: Future[Any] = Future()
        self._orders.put((attempt, done))
        return done.result()

    def _serve(self, executor: LocalExecutor) -> None:
        """Carry out orders until the server closes; once the executor can't go on, each of them fails as it did."""
        running: dict[str, Future[Any]] = {}
        try:
            with executor:
                self._carry_out(executor, running)
        except BaseException as error:  # whoever waits for a step says so
            for done in running.values():
                done.set_exception(error)
            while order := self._orders.get():
                order[1].set_exception(error)

    def _carry_out(self, executor: LocalExecutor, running: dict[str, Future[Any]]) -> None:
        """running: by its job's id, where to put the end of each step that is begun and has not ended."""
        while True:
            try:
                order = self._orders.get(block=not running)
            except queue.Empty:
                for finished in executor.wait(_TURN_SECONDS):
                    running.pop(finished.job.id).set_result(finished)
                continue
            if order is None:
                return
            attempt, done = order
            try:
                if attempt is None:
                    executor.rest()
                    done.set_result(None)
                else:
                    executor.take_over(attempt)
                    running[attempt.job.id] = done
            except BaseException as error:  # whoever waits for it says so
                done.set_exception(error)

    def _fetch(self, files: Mapping[str, Parcel]) -> None:
        """Put the files in their places, those that are not there already."""
        with self._lock:
            self._users.update(files.keys())
            missing = {name: one for name, one in files.items() if self._there.get(name) != one.digest}
            contents = ray.get([one.content for one in missing.values()])
            for (name, parcel), data in zip(missing.items(), contents, strict=True):
                write_whole(self._folder / name, data, secret=name.startswith("store/keys/"))
                self._there[name] = parcel.digest

    def _release(self, files: Mapping[str, Parcel]) -> None:
        """Remove the files of the store that no step needs any more; images and plug-ins stay."""
        with self._lock:
            self._users.subtract(files.keys())
            for name in files:
                if self._users[name] <= 0 and name.startswith("store/"):
                    self._there.pop(name, None)
                    (self._folder / name).unlink(missing_ok=True)

    def _left(self, attempt: Attempt) -> dict[str, bytes]:
        """Take away the artefacts that a step left, by role. What is no plain file counts as missing."""
        job, found = attempt.job, dict[str, bytes]()
        place = self._store.work_path if attempt.step == "make" else self._store.artefact_path
        for role in LEFT_ROLES:
            path = place(job.id, role)
            with suppress(OSError, ValueError):
                found[role] = content(path, MOST_TENSORS, follow=False)
            with suppress(OSError):
                path.unlink()
        shutil.rmtree(self._store.work_path(job.id, "").parent, ignore_errors=True)
        return found

    def _log(self, finished: Finished) -> bytes:
        """The end of what was printed, where somebody may ask why it came to no good end."""
        if finished.status in ("ok", "not-applicable", "damaged"):
            return b""
        with suppress(OSError), (self._root / "logs" / finished.run["log"]).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
            return file.read()
        return b""


def _prepared_here(tasks: Iterable[str]) -> set[str]:
    """Where earlier runs on this node may have left all images of these tasks."""
    found: set[str] = set()
    for name in tasks:
        with suppress(BenchError):  # pictures of one's own that this node has not
            found |= {str(folder.absolute()) for folder in find_task(name).shelf.folders}
    return found


def _merged(first: TaskFiles, second: TaskFiles) -> TaskFiles:
    """The files of each task in two places."""
    return {
        task: {role: [*first[task].get(role, ()), *files.get(role, ())] for role in {*first[task], *files}}
        for task, files in second.items()
    }
