"""`bench check`: the contract, held against every plug-in of a file, each in a process of its own with a time limit."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark.app.kit.names import CHECKS
from benchmark.data.download import provide
from benchmark.data.tasks import find_task
from benchmark.digest.normal_form import reading
from benchmark.errors import printable
from benchmark.execution.processes.import_check import import_told, told
from benchmark.execution.processes.lease import Zygote
from benchmark.execution.walls import Walls
from benchmark.planning.profile import load_profile
from benchmark.plugins.parameters import Declaration, PluginRole
from benchmark.plugins.registry import Registry

ACT_SECONDS = 300.0  # for all acts of one plug-in, on a busy machine
_ACTS = "benchmark.app.kit.acts_process"
_ACTOR = {"attack": "run", "scheme": "embed"}
_OPEN = Walls(())  # as a thief's: it may read what it likes, and write to a temporary folder alone


@dataclass(frozen=True)
class Checked:
    """One check of one plug-in. ok: None where it was not reached. text: the fault, or what was seen."""

    role: PluginRole
    name: str
    check: str
    ok: bool | None
    text: str


@dataclass(frozen=True)
class CheckReport:
    """All checks of a file, and the lines that its plug-ins printed."""

    checks: tuple[Checked, ...]
    printed: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return all(one.ok for one in self.checks)


def check_file(path: Path) -> CheckReport:
    """Try every plug-in of a file. Raises BenchError for a file whose declarations can't be read."""
    path = path.resolve()
    registry = Registry.discover([path])
    mine = [one for one in (*registry.schemes, *registry.attacks) if one.source == path]
    track = load_profile("quick").track
    for found in filter(None, (track(one.traits["tasks"][:1]) for one in mine)):
        provide(find_task(found.task))  # where the process may not write
    checks: list[Checked] = []
    with tempfile.TemporaryDirectory(prefix="bench-check-") as folder:
        log = Path(folder) / "printed.log"
        zygote = Zygote([_ACTS], Path(folder) / "zygote.log")
        try:
            imported, changed = _imported(zygote, path, mine, log)
            for one in mine:
                checks += _checked(one, zygote, imported.get(one.class_name, []), changed, log)
        finally:
            zygote.close()
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return CheckReport(tuple(checks), tuple(printable(line) for line in lines if line.strip()))


def _imported(zygote: Zygote, path: Path, mine: list[Declaration], log: Path) -> tuple[dict[str, list[str]], list[str]]:
    """The faults of each class, by its name, and what importing the file changed; every class has that of the file."""
    names = [one.class_name for one in mine]
    faults: dict[str, list[str]] = {}
    changed: list[str] = []
    for line in import_told(zygote, path, names, log, _OPEN).lines:
        if "fault" in line:
            faults.setdefault(str(line.get("class_name")), []).append(str(line["fault"]))
        changed += map(str, line.get("changed", ()))
    file_faults = [one for found in faults.values() for one in found if "can't be imported" in one]
    return ({name: file_faults for name in names} if file_faults else faults), changed


def _checked(one: Declaration, zygote: Zygote, faults: list[str], changed: list[str], log: Path) -> Iterator[Checked]:
    def row(check: str, fault: str, text: str = "ok") -> Checked:
        return Checked(one.role, one.name, check, not fault, printable(fault or text))

    yield row("declaration", "", f"{len(one.parameters)} parameters, {len(one.traits['settings'])} settings")
    yield row("imports", _strange_import(one.source))
    yield row("class", " ".join(faults))
    names, reached = ", ".join(changed[:3]), set[str]()
    if not faults:
        wanted = "put that into a method, and put it back"
        yield row("import", names and f"{one.source}:1: its import changes {names} for the whole process: {wanted}")
        acts = told(
            zygote, f"{_ACTS}:act", {"path": str(one.source), "role": one.role, "name": one.name}, log, _OPEN,
            ACT_SECONDS,
        )  # fmt: skip
        for line in acts.lines:
            check, fault, detail = (str(line.get(key, "")) for key in ("check", "fault", "detail"))
            reached.add(check)
            yield row(check, fault, detail or "ok")
        if acts.ending is not None:
            check = next((check for check in CHECKS[one.role] if check not in reached), "")
            reached.add(check)
            wanted = "take a parameter that makes it short, such as epochs, or raise an error where it fails"
            yield row(check, f"{_line(one)}: {acts.ending}: {wanted}")
    for check in CHECKS[one.role]:
        if check not in reached:
            yield Checked(one.role, one.name, check, None, "not reached")


def _strange_import(source: Path) -> str:
    """The first import of what no plug-in should rest on, as a fault; nothing where there is none."""
    with reading(source):
        tree = ast.parse(source.read_bytes())
    for node in ast.walk(tree):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules = [
                f"{node.module}.{alias.name}" if node.module == "benchmark" else node.module for alias in node.names
            ]
        for module in modules:
            if module.split(".")[0] in ("benchmark", "leaderboard") and not f"{module}.".startswith(
                "benchmark.contract."
            ):
                wanted = "write `from benchmark import contract as wm`, which has all that stays as it is"
                return f"{source}:{getattr(node, 'lineno', 1)}: it imports {module}: {wanted}"
    return ""


def _line(one: Declaration) -> str:
    """Where the method of a plug-in begins that acts, or else its class: read, not run."""
    classes = [node for node in ast.walk(ast.parse(one.source.read_bytes())) if isinstance(node, ast.ClassDef)]
    mine = next((node for node in classes if node.name == one.class_name), None)
    inside = (node for node in ast.walk(mine) if isinstance(node, ast.FunctionDef)) if mine else ()
    method = next((node for node in inside if node.name == _ACTOR[one.role]), mine)
    return f"{one.source}:{method.lineno if method else 1}"
