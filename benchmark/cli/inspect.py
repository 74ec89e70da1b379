"""Commands that say what there is: list, describe, doctor; and speed, which measures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmark.cli import completion, options
from benchmark.description import did_you_mean
from benchmark.errors import EXIT_OK, BenchError
from benchmark.plugins.attack_sets import AUTO_VERSION, PRESETS
from benchmark.plugins.parameters import Declaration, write_value
from benchmark.plugins.registry import Registry
from benchmark.vocabulary import ATTACK_KINDS, ORACLE_KINDS


@click.command(name="list", short_help="List schemes, attacks, tasks, architectures and profiles.")
@options.PLUGIN
@options.JSON
def list_(plugins: Sequence[Path], as_json: bool) -> None:
    """List schemes, attacks, tasks, architectures, profiles and reproductions."""
    from benchmark.architectures.catalogue import ARCHITECTURES
    from benchmark.data.tasks import TASKS
    from benchmark.planning.profile import profile_names
    from benchmark.planning.reproduction import works

    registry = Registry.discover(plugins)
    if as_json:
        options.dump([{"role": d.role, "name": d.name, "doc": _headline(d), **d.traits} for d in _all(registry)])
        return
    width = max(len(d.name) for d in _all(registry)) + 4
    kinds = {d.traits["kind"] for d in registry.attacks}
    groups = {"Schemes": registry.schemes} | {
        f"Attacks, {kind}": [d for d in registry.attacks if d.traits["kind"] == kind]
        for kind in (*ATTACK_KINDS, *ORACLE_KINDS)
        if kind in kinds
    }
    for title, declarations in groups.items():
        options.say(f"{title}:")
        for d in declarations:
            options.fold(f"  {d.name:<{width - 2}}{_headline(d)}", indent=width)
    sets = [f"{name} ({len(some)})" for name, some in PRESETS.items()]
    for what, names in {
        "Sets of attacks": ["all", "grid", *sets],
        "Tasks": [*sorted(TASKS), "folder:NAME", "folder-pairs:NAME"],
        "Architectures": sorted(ARCHITECTURES),
        "Profiles": profile_names(),
        "Reproductions": works(),
    }.items():
        options.fold(f"{what}: {', '.join(names)}", indent=len(what) + 2)
    for broken in registry.broken:
        options.say(f"left out: {broken.reason}", err=True)


def _all(registry: Registry) -> tuple[Declaration, ...]:
    return registry.schemes + registry.attacks


def _headline(declaration: Declaration) -> str:
    return declaration.doc.strip().split("\n")[0]


@click.command(short_help="Show what is known of a plug-in, task or architecture.")
@click.argument("name", shell_complete=completion.plugins)
@options.PLUGIN
@options.JSON
def describe(name: str, plugins: Sequence[Path], as_json: bool) -> None:
    """Show a plug-in's parameters, threat model and known results; or a set's attacks, a task, an architecture."""
    from benchmark.app.plugin_facts import known

    declarations = _all(Registry.discover(plugins))
    matching = [one for one in declarations if one.name == name]
    other = None if matching else _set(name) or _task(name) or _architecture(name)
    if not matching and other is None:
        raise BenchError(f"no scheme, attack, task or architecture is named {name!r}: {_hint(name, declarations)}")
    if as_json:
        kept = ("role", "name", "parameters", "traits", "origin")
        options.dump(other or [
            {name: getattr(one, name) for name in kept}
            | {"doc": one.doc.strip(), "source": str(one.source), "known_results": dict(known(one))}
            for one in matching
        ])  # fmt: skip
        return
    for word, value in (other or {}).items():
        options.fold(f"{word}: {value}", indent=2)
    for declaration in matching:
        _describe(declaration)


def _describe(plugin: Declaration) -> None:
    """Say all that is known of a plug-in, in words."""
    from benchmark.app.plugin_facts import known, settings, threat_model, values

    options.say(f"{plugin.role} {plugin.name}\n")
    for paragraph in plugin.doc.strip().split("\n\n"):
        options.fold(" ".join(paragraph.split()), indent=0)
        options.say("")
    options.say("Parameters:" if plugin.parameters else "No parameters.")
    for one in plugin.parameters:
        options.fold(f"  {one.name} = {write_value(one.default)}  ({values(one)})  {one.doc}", indent=4)
    options.say("Threat model:")
    for name, said in threat_model(plugin):
        if said:
            options.fold(f"  {name}: {said}", indent=4)
    for name, said in settings(plugin):
        options.fold(f'"{name}" runs: {said}', indent=2)
    options.fold(f"Paper: {plugin.traits['paper'] or 'none'}", indent=2)
    found = known(plugin)
    options.say(
        "Known results on the published boards (* training anew does as well):"
        if found
        else "Known results: no published board ran it."
    )
    for board, said in found:
        options.fold(f"  {board}: {said}", indent=4)
    options.say(f"Source: {plugin.source} ({plugin.origin})")


def _hint(name: str, declarations: Sequence[Declaration]) -> str:
    from benchmark.architectures.catalogue import ARCHITECTURES
    from benchmark.data.tasks import TASKS

    return did_you_mean(name, {*(one.name for one in declarations), *TASKS, *ARCHITECTURES}, "there are")


def _set(name: str) -> dict[str, Any] | None:
    """What is in a set of attacks, each with its reason; None where no set has the name."""
    if name not in PRESETS:
        return None
    return {"set": f"auto, version {AUTO_VERSION}" if name == "auto" else name, **PRESETS[name]}


def _task(name: str) -> dict[str, Any] | None:
    """A task's images and who holds them; None where no task has the name."""
    from benchmark.data.own_images import is_own
    from benchmark.data.tasks import TASKS, find_task

    if name not in TASKS and not is_own(name):
        return None
    task = find_task(name)
    parts = {part: getattr(task, part) for part in ("owner", "thief", "validation", "test")}
    if task.package:
        where = f"the package {task.package}"
    elif is_own(name):
        where = ", ".join(map(str, task.paths()))
    else:
        where = f"{task.folder}, fetched from {task.source.url}"
    shape = "x".join(map(str, task.shape))
    return {"task": name, "kind": task.kind, "classes": task.classes, "images": shape, **parts, "files": where}


def _architecture(name: str) -> dict[str, Any] | None:
    """What an architecture is and what may be set; None where none has the name."""
    from benchmark.architectures.catalogue import ARCHITECTURES

    if name not in ARCHITECTURES:
        return None
    one = ARCHITECTURES[name]
    arguments = {p.name: f"{p.default} ({' | '.join(p.choices) or p.type}): {p.doc}" for p in one.arguments}
    return {"architecture": name, "about": one.doc, **arguments}


@click.command()
@options.RESULTS
@options.JSON
def doctor(results: Path, as_json: bool) -> int:
    """Check Python, packages, device and folders."""
    from benchmark.execution.doctor import examine

    findings = []
    for finding in examine(results):
        findings.append(finding)
        if not as_json:  # one by one, since the last of them take seconds
            options.fold(f"{'ok ' if finding.ok else 'BAD'}  {finding.what}: {finding.detail}", indent=5)
    if as_json:
        options.dump(findings)
    return EXIT_OK if all(finding.ok for finding in findings) else BenchError.exit_code


@click.command(short_help="Measure training, cells and workers on this machine.")
@options.profile_option("quick")
@options.DATA_FOLDER
@options.DEVICE
@click.option(
    "--seconds",
    type=click.FloatRange(min=1.0),
    default=20.0,
    show_default=True,
    help="How long training loops are alternated; cells and workers come after.",
)
@click.option("--compare", "earlier", type=options.PATH, help="A file of --json: print this run's ratios to it.")
@options.JSON
def speed(
    profile: str, data_root: Path | None, device: str, seconds: float, earlier: Path | None, as_json: bool
) -> None:  # fmt: skip
    """Measure training, cells and workers on this machine, in one run.

    The engine trains the profile's net in alternation with a bare loop and a fast one, written by hand; then cells are
    timed by attack, and the same jobs by 1, 2, 4 and 8 workers as far as there are cores.
    """
    from benchmark.app.planned_run import use_data_root
    from benchmark.app.speed import report
    from benchmark.execution.doctor import check_environment
    from benchmark.planning.profile import load_profile

    use_data_root(data_root)
    check_environment(device)
    before = report.read_report(earlier) if earlier else None
    found = report.measure(load_profile(profile), device, seconds, options.typed_command(), before)
    compared = report.ratios(before, found) if before else []
    if as_json:
        options.dump(report.as_json(found, compared))
        return
    options.say(report.in_words(found))
    if before:
        options.say(report.ratios_in_words(compared, before))
