"""Reading a plug-in's declaration from its source with `ast`: the file is neither run nor imported."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from benchmark.errors import BenchError
from benchmark.plugins.parameters import TYPES, Declaration, Origin, Parameter, PluginRole
from benchmark.vocabulary import ACCESS, ATTACK_KINDS, ORACLE_KINDS

LAWS = ("exact", "redrawn", "none")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")

_EXPECTED = ("expected_failures", "expected_forgeries")
_REQUIRED, _CODE = object(), object()
_BASES: dict[str, PluginRole] = {"Scheme": "scheme", "Attack": "attack", "OracleAttack": "attack"}
# trait: (type, default, allowed words); a tuple is always one of strings
_Traits = dict[str, tuple[type, object, tuple[str, ...]]]
_SHARED: _Traits = {
    "tasks": (tuple, ("classification",), ()),
    "settings": (tuple, ("",), ()),
    "file_parameters": (tuple, (), ()),
    "paper": (str, "", ()),
}
_TRAITS: dict[PluginRole, _Traits] = {
    "attack": {
        "family": (str, _REQUIRED, ()),
        "kind": (str, _REQUIRED, (*ATTACK_KINDS, *ORACLE_KINDS)),
        "access": (str, "weights", ("none", *ACCESS)),
        "requires": (str, "", ()),
        "target": (str, "release", ("release", "none")),
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

    A class inherits parameters and traits from plug-in classes above it in the same file, never the name.
    Raises BenchError for a file that isn't Python, and, with file and line, for code where a literal is needed.
    """
    path = path.resolve()
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except SyntaxError as error:
        raise BenchError(f"{path}:{error.lineno or 1}: this is not valid Python: {error.msg}") from None
    except (OSError, ValueError) as error:
        raise BenchError(f"{path}: the file can't be read: {getattr(error, 'strerror', None) or error}") from None
    classes: dict[str, _Class] = {}
    plugins: dict[tuple[str, str], Declaration] = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef) or (found := _Class.of(node, classes, path)) is None:
            continue
        classes[node.name] = found
        if found.name is not None:
            one = found.declaration(found.name, origin)
            if (one.role, one.name) in plugins:
                found.fail(found.node, f"two {one.role}s are named {one.name!r}: rename one")
            plugins[one.role, one.name] = one
    return list(plugins.values())


def read_builders(path: Path) -> tuple[str, ...]:
    """The names under which a file registers nets and filters with `@builder("name")`, in its order.

    Raises BenchError, with file and line, for a name that is no literal text, and for one that is there twice.
    """
    source, names = path.read_bytes(), list[str]()
    if b"builder" not in source:  # most plug-ins: a whole tree is long to walk
        return ()
    marks = (mark for node in ast.walk(ast.parse(source)) for mark in getattr(node, "decorator_list", ()))
    for mark in marks:
        if isinstance(mark, ast.Call) and _last_name(mark.func) == "builder":
            given = [*mark.args, *(one.value for one in mark.keywords if one.arg == "name")]
            name = _literal(given[0]) if given else _CODE
            if not isinstance(name, str):
                wrong = f"the name of a builder must be a literal text, not `{ast.unparse(mark)}`"
                raise BenchError(f'{path}:{mark.lineno}: {wrong}: write `@builder("my-net")`')
            if name in names:
                raise BenchError(f"{path}:{mark.lineno}: two builders are named {name!r}: rename one")
            names.append(name)
    return tuple(names)


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
        names = [_last_name(base) for base in node.bases]
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
                if _last_name(statement.annotation) != "ClassVar":
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
        if (value := _literal(node)) is _CODE:
            example = '0.5, "word" or ("a", "b")'
            self.fail(node, f"{what} must be a literal, such as {example}, not `{ast.unparse(node)}`")
        return value

    def add_trait(self, name: str, node: ast.expr) -> None:
        """Take a class attribute that declares something of the plug-in; pass over what is code."""
        if name in self.parameters:
            self.fail(node, f"{name} is a base class's parameter: annotate it to change its default")
        if name == "name":
            self.name = self.literal(node, "name")
            if not isinstance(self.name, str) or not _NAME.fullmatch(self.name) or self.name == "all":
                self.fail(node, f'name must be a word such as "prune", not {self.name!r}; "all" is taken')
        elif name in _TRAITS[self.role]:
            self.traits[name] = self.known_trait(name, self.literal(node, name), node)
        elif not name.startswith("_") and isinstance(value := _literal(node), str | int | float | tuple):
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
        kind, choices = self.annotation(name, node.annotation)
        example = f'{name}: {ast.unparse(node.annotation)} = parameter(<default>, "what it means")'
        if node.value is None:
            self.fail(node, f"{name} needs a default: write `{example}`")
        given = {"default": node.value}
        if isinstance(call := node.value, ast.Call):
            given = dict(zip(("default", "doc"), call.args, strict=False))
            given |= {str(one.arg): one.value for one in call.keywords}
            fits = {"default", "doc"} <= given.keys() <= {"default", "doc", "low", "high"} and len(call.args) <= 2
            if _last_name(call.func) != "parameter" or not fits:
                self.fail(node, f"write `{example}`, with low= and high= where it has a range")
        values = {key: self.literal(value, f"the {key} of {name}") for key, value in given.items()}
        bounds = [values[key] for key in ("low", "high") if values.get(key) is not None]
        if bounds and not {type(bound).__name__ for bound in bounds} | {kind} <= {"int", "float"}:
            self.fail(node, f"low and high of {name} must be numbers, and {name} an int or a float")
        try:
            draft = Parameter(name, kind, choices, **values)
            self.parameters[name] = dataclasses.replace(draft, default=draft.check(draft.default))
        except BenchError as error:
            self.fail(node, f"the default of {error}")

    def annotation(self, name: str, node: ast.expr) -> tuple[str, tuple[Any, ...]]:
        """The type's name and the choices that an annotation stands for."""
        if isinstance(node, ast.Name) and node.id in TYPES:
            return node.id, ()
        if isinstance(node, ast.Subscript) and _last_name(node) == "Literal":
            choices = _literal(node.slice)
            choices = choices if isinstance(choices, tuple) else (choices,)
            kinds = {type(choice).__name__ for choice in choices}
            if len(kinds) == 1 and kinds <= set(TYPES):
                return kinds.pop(), choices
        wanted = 'int, float, bool, str or Literal["a", "b"]'
        self.fail(node, f"{name} takes {wanted}, not `{ast.unparse(node)}`; a trait has no annotation")

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


def _literal(node: ast.expr) -> Any:
    """The value of a literal; _CODE for anything else."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return _CODE


def _last_name(node: ast.expr) -> str:
    """`Scheme` of `Scheme`, `wm.Scheme` and `wm.Scheme[Key]`; the empty text for anything else."""
    if isinstance(node, ast.Subscript):
        return _last_name(node.value)
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
