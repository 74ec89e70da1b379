"""What a job's payload holds of its plug-ins, which decides what they do; and where their code lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.code_digest import source_hash
from benchmark.errors import BenchError
from benchmark.identity import content_hash
from benchmark.planning.job import PluginSource
from benchmark.plugins.selection import Setting, Stage


def described(stage: Stage) -> dict[str, Any]:
    """What decides what a plug-in does. Raises BenchError when a file that a parameter names can't be read."""
    declaration, parameters = stage.declaration, stage.parameters
    found = {"name": declaration.name, "parameters": parameters, "code": source_hash(declaration.source)}
    files = {name: parameters[name] for name in declaration.traits["file_parameters"] if parameters[name]}
    return found | ({"files": {name: _content(Path(path)) for name, path in files.items()}} if files else {})


def _content(path: Path) -> str:
    try:
        return content_hash(path)
    except OSError as error:
        raise BenchError(f"{path} can't be read: {error.strerror or error}") from None


def public(stage: Stage) -> dict[str, Any]:
    """What a thief knows of a scheme: its code and parameters, but for files that are the owner's secret."""
    secrets = dict.fromkeys(stage.declaration.traits["secret_files"], "")
    return described(Stage(stage.declaration, stage.parameters | secrets))


def source(stage: Stage) -> PluginSource:
    """Where a plug-in's code lies, and its hash."""
    declaration = stage.declaration
    return PluginSource(str(declaration.source), declaration.class_name, source_hash(declaration.source))


def scheme_source(scheme: Setting) -> dict[str, PluginSource]:
    """The code of a scheme, by the role it plays in a job."""
    return {"scheme": source(scheme.stages[0])}
