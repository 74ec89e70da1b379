"""Reading a plug-in's declaration from its source with `ast`: the file is neither run nor imported."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from benchmark.digest.modules import absolute, module_name, module_source
from benchmark.digest.normal_form import reading
from benchmark.errors import BenchError
from benchmark.plugins.annotations import CODE, Annotation, last_name, literal, read_annotation
from benchmark.plugins.parameters import SETS, Declaration, Origin, Parameter, PluginRole
from benchmark.vocabulary import ACCESS, ATTACK_KINDS, LAYER_KINDS, ORACLE_KINDS

LAWS = ("exact", "redrawn", "none")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")

_EXPECTED = ("expected_failures", "expected_forgeries")
_REQUIRED = object()
_BASES: dict[str, PluginRole] = {"Scheme": "scheme", "Attack": "attack", "OracleAttack": "attack"}
# trait: (type, default, allowed words); a tuple is always one of strings
_Traits = dict[str, tuple[type, object, tuple[str, ...]]]
_SHARED: _Traits = {
    "tasks": (tuple, ("classification",), ()),
    "settings": (tuple, ("",), ()),
    "file_parameters": (tuple, (), ()),
    "paper": (str, "", ()),
    "layers_needed": (str, "", ("", *LAYER_KINDS)),
}
_TRAITS: dict[PluginRole, _Traits] = {
    "attack": {
        "family": (str, _REQUIRED, ()),
        "kind": (str, _REQUIRED, (*ATTACK_KINDS, *ORACLE_KINDS)),
        "access": (str, "weights", ("none", *ACCESS)),
        "requires": (str, "", ()),
        "target": (str, "release", ("release", "none")),
        "evidence": (str, "", ()),
        **_SHARED,
    },
    "scheme": {
        "release": (str, "weights", ACCESS),
        "court": (str, "labels", ACCESS),
        "capabilities": (tuple, (), ()),
        "host": (bool, False, ()),
        **dict.fromkeys(_EXPECTED, (dict, {}, ())),
        "item": (str, "item", ()),
        "null_law": (str, "none", LAWS),
        "secret_files": (tuple, (), ()),
        **_SHARED,
    },
}
_SHAPES = {
    tuple: 'be a tuple of strings, such as ("a", "b") or ("a",)',
    dict: 'hold texts by setting, such as {"a=1": "why"}',
    str: "be a str",
    bool: "be a bool",
}


def read_declarations(path: Path, origin: Origin = "plugin") -> list[Declaration]:
    """The plug-ins a file declares, in its order: classes with a name that derive from Scheme, Attack or OracleAttack.

    A class inherits parameters and traits from the plug-in classes it derives from, never the name. These stand above
    it in the same file, or are imported from schemes, attacks or a file beside it.
    Raises BenchError for a file that isn't Python, and, with file and line, for code where a literal is needed.
    """
    path = path.resolve()
    plugins: dict[tuple[str, str], Declaration] = {}
    for found in (one for _, one in _classes(path, set()) if one.path == path):
        if found.name is not None:
            one = found.declaration(found.name, origin)
            if (one.role, one.name) in plugins:
                found.fail(found.node, f"two {one.role}s are named {one.name!r}: rename one")
            plugins[one.role, one.name] = one
    return list(plugins.values())


def _classes(path: Path, wanted: Set[str], readers: tuple[Path, ...] = ()) -> list[tuple[str, _Class]]:
    """The plug-in classes of a file, by name: its own, and of the imported ones those that it derives from or that are
    `wanted`. `readers` are the files that are being read for its sake: a circle of imports ends there.
    """
    with reading(path):
        outline = _outline(path.read_bytes())
    found: list[tuple[str, _Class]] = []
    wanted |= outline.bases
    for node in outline.statements:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found += _imported(node, wanted, path, (*readers, path))
        elif isinstance(node, ast.ClassDef) and (one := _Class.of(node, dict(found), path)) is not None:
            found.append((node.name, one))
    return found


def _imported(
    node: ast.Import | ast.ImportFrom, wanted: Set[str], path: Path, readers: tuple[Path, ...]
) -> Iterator[tuple[str, _Class]]:
    """The `wanted` classes, written as in `prune.Prune`, that an import statement of `path` binds."""
    for holder, _, name in (text.rpartition(".") for text in wanted):
        for module, class_name in _bound(node, holder, name):
            importer = module_name(path)
            full = absolute(module, path, importer)
            known = full.partition(".")[0] in ("schemes", "attacks", importer.partition(".")[0])
            source = module_source(full) if known else None
            if source and source not in readers:
                classes = dict(_classes(source, {class_name}, readers))
                yield from ((name, one) for local, one in classes.items() if local == class_name)


def _bound(node: ast.Import | ast.ImportFrom, holder: str, name: str) -> Iterator[tuple[str, str]]:
    """The module and the name in it that `holder.name`, or `name` where `holder` is empty, stands for: by an import."""
    for alias in node.names:
        local = alias.asname or alias.name
        if isinstance(node, ast.Import):
            if local == holder:
                yield alias.name, name
        else:
            module = "." * node.level + (node.module or "")
            if not holder and local in (name, "*"):
                yield module, name if local == "*" else alias.name
            elif local == holder:
                yield f"{module}.{alias.name}" if node.module else f"{module}{alias.name}", name


def read_builders(path: Path) -> tuple[str, ...]:
    """The names under which a file registers nets and filters with `@builder("name")`, in its order.

    Raises BenchError, with file and line, for a name that is no literal text, and for one that is there twice.
    """
    names: list[str] = []
    with reading(path):
        marks = _outline(path.read_bytes()).builders
    for mark in marks:
        given = [*mark.args, *(one.value for one in mark.keywords if one.arg == "name")]
        name = literal(given[0]) if given else CODE
        if not isinstance(name, str):
            wrong = f"the name of a builder must be a literal text, not `{ast.unparse(mark)}`"
            raise BenchError(f'{path}:{mark.lineno}: {wrong}: write `@builder("my-net")`')
        if name in names:
            raise BenchError(f"{path}:{mark.lineno}: two builders are named {name!r}: rename one")
        names.append(name)
    return tuple(names)


@dataclass(frozen=True)
class _Outline:
    """What a file's declarations are read from: no function's body, so that a process can keep it for many files.

    statements: imports and classes at the top level, of classes what stands outside their methods. bases: all that
    these derive from, as text. builders: every `@builder(...)` of the file.
    """

    statements: tuple[ast.stmt, ...]
    bases: frozenset[str]
    builders: tuple[ast.Call, ...]


@lru_cache(1024)
def _outline(source: bytes) -> _Outline:
    """The outline of a file's content, made once per process: each file is read for itself, for those that import it,
    for its builders, and by every command of a session. Raises SyntaxError.
    """
    tree = ast.parse(source)
    nodes = ast.walk(tree) if b"builder" in source else ()  # most plug-ins: a whole tree is long to walk
    marked = (mark for node in nodes for mark in getattr(node, "decorator_list", ()))
    calls = tuple(mark for mark in marked if isinstance(mark, ast.Call) and last_name(mark.func) == "builder")
    statements = tuple(node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom | ast.ClassDef))
    bases = set()
    for node in statements:
        if isinstance(node, ast.ClassDef):
            node.body = [one for one in node.body if isinstance(one, ast.Assign | ast.AnnAssign | ast.Expr)]
            bases |= {ast.unparse(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases}
    return _Outline(statements, frozenset(bases), calls)


@dataclass
class _Class:
    """A class of the file as it is being read."""

    node: ast.ClassDef
    path: Path
    role: PluginRole
    oracle: bool
    name: str | None = None
    traits: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Parameter] = field(default_factory=dict)

    @classmethod
    def of(cls, node: ast.ClassDef, above: Mapping[str, _Class], path: Path) -> _Class | None:
        names = [last_name(base) for base in node.bases]
        bases = [above[name] for name in names if name in above]
        roles = [*(_BASES[name] for name in names if name in _BASES), *(base.role for base in bases)]
        if not roles:
            return None
        found = cls(node, path, roles[0], "OracleAttack" in names or any(base.oracle for base in bases))
        for base in reversed(bases):
            found.traits |= base.traits
            found.parameters |= base.parameters
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                if last_name(statement.annotation) != "ClassVar":
                    found.add_parameter(statement, statement.target.id)
                elif statement.value is not None:
                    found.add_trait(statement.target.id, statement.value)
            elif isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        found.add_trait(target.id, statement.value)
        return found

    def fail(self, node: ast.stmt | ast.expr, text: str) -> NoReturn:
        raise BenchError(f"{self.path}:{node.lineno}: {self.node.name}: {text}")

    def literal(self, node: ast.expr, what: str) -> Any:
        if (value := literal(node)) is CODE:
            example = '0.5, "word" or ("a", "b")'
            self.fail(node, f"{what} must be a literal, such as {example}, not `{ast.unparse(node)}`")
        return value

    def add_trait(self, name: str, node: ast.expr) -> None:
        """Take a class attribute that declares something of the plug-in; pass over what is code."""
        if name in self.parameters:
            self.fail(node, f"{name} is a base class's parameter: annotate it to change its default")
        if name == "name":
            self.name = self.literal(node, "name")
            if not isinstance(self.name, str) or not _NAME.fullmatch(self.name) or self.name in SETS:
                self.fail(node, f'name must be a word such as "prune", not {self.name!r}; {", ".join(SETS)} are taken')
        elif name in _TRAITS[self.role]:
            self.traits[name] = self.known_trait(name, self.literal(node, name), node)
        elif not name.startswith("_") and isinstance(value := literal(node), str | int | float | tuple):
            if near := difflib.get_close_matches(name, _TRAITS[self.role], n=1, cutoff=0.85):
                self.fail(node, f"{name} is no known trait: write {near[0]}, or choose a name less like it")
            self.traits[name] = value

    def known_trait(self, name: str, value: Any, node: ast.expr) -> Any:
        wanted, _, allowed = _TRAITS[self.role][name]
        texts = (*value, *value.values()) if isinstance(value, dict) else value if isinstance(value, tuple) else ()
        typed = type(value) is wanted and all(isinstance(text, str) for text in texts)
        if not typed or (wanted is dict and not value):
            self.fail(node, f"{name} must {_SHAPES[wanted]}, not {value!r}")
        if allowed and value not in allowed:
            self.fail(node, f"{name} must be one of {', '.join(allowed)}, not {value!r}")
        if name == "settings" and not value:
            self.fail(node, 'settings must name at least one setting; ("",) stands for the defaults')
        return value

    def add_parameter(self, node: ast.AnnAssign, name: str) -> None:
        if name == "name" or name in _TRAITS[self.role]:
            self.fail(node, f"{name} is a trait: write it without an annotation, or as a ClassVar")
        form = self.annotation(name, node.annotation)
        example = f'{name}: {ast.unparse(node.annotation)} = parameter(<default>, "what it means")'
        if node.value is None:
            self.fail(node, f"{name} needs a default: write `{example}`")
        given = {"default": node.value}
        if isinstance(call := node.value, ast.Call):
            given = dict(zip(("default", "doc"), call.args, strict=False))
            given |= {str(one.arg): one.value for one in call.keywords}
            fits = {"default", "doc"} <= given.keys() <= {"default", "doc", "low", "high"} and len(call.args) <= 2
            if last_name(call.func) != "parameter" or not fits:
                self.fail(node, f"write `{example}`, with low= and high= where it has a range")
        values = {key: self.literal(value, f"the {key} of {name}") for key, value in given.items()}
        bounds = [values[key] for key in ("low", "high") if values.get(key) is not None]
        if bounds and not {type(bound).__name__ for bound in bounds} | {form.type} <= {"int", "float"}:
            self.fail(node, f"low and high of {name} must be numbers, and {name} an int or a float")
        if form.many and not isinstance(values["default"], tuple):
            self.fail(node, f"the default of {name} must be a tuple, such as (1, 2) or (): a list could be changed")
        try:
            draft = Parameter(name, form.type, form.choices, **values, optional=form.optional, many=form.many)
            self.parameters[name] = dataclasses.replace(draft, default=draft.check(draft.default))
        except BenchError as error:
            self.fail(node, f"the default of {error}")

    def annotation(self, name: str, node: ast.expr) -> Annotation:
        if (form := read_annotation(node)) is None:
            wanted = 'int, float, bool, str, Literal["a", "b"], int | None or tuple[int, ...]'
            self.fail(node, f"{name} takes {wanted}, not `{ast.unparse(node)}`; a trait has no annotation")
        return form

    def declaration(self, name: str, origin: Origin) -> Declaration:
        traits: dict[str, Any] = {trait: default for trait, (_, default, _) in _TRAITS[self.role].items()} | self.traits
        for trait, value in traits.items():
            if value is _REQUIRED:
                allowed = " | ".join(_TRAITS[self.role][trait][2]) or "<word>"
                self.fail(self.node, f'an {self.role} must say its {trait}: write `{trait} = "{allowed}"`')
        if self.role == "attack" and (traits["kind"] in ORACLE_KINDS) != self.oracle:
            lane = f"is given the owner's key: write one of {', '.join(ORACLE_KINDS)}"
            wanted = lane if self.oracle else "is given no key: derive from OracleAttack, or write another kind"
            self.fail(self.node, f"its kind is {traits['kind']}, and it {wanted}")
        doc, parameters = ast.get_docstring(self.node) or "", tuple(self.parameters.values())
        one = Declaration(self.role, name, self.node.name, doc, traits, parameters, self.path, origin)
        texts = [parameter.name for parameter in parameters if parameter.type == "str"]
        self.among("file_parameters", traits["file_parameters"], texts, "which is no parameter of type str")
        for trait, known in (("secret_files", "file_parameters"), *((each, "settings") for each in _EXPECTED)):
            self.among(trait, traits.get(trait, ()), traits[known], f"which is not among the {known}")
        for text in traits["settings"]:
            try:
                one.read(text)
            except BenchError as error:
                self.fail(self.node, f"the setting {text!r} is wrong: {error}")
        return one

    def among(self, trait: str, named: Iterable[str], known: Collection[str], fault: str) -> None:
        if stray := [one for one in named if one not in known]:
            self.fail(self.node, f"{trait} names {stray[0]!r}, {fault}")
