"""The types of the module, from the accepted face of the library (bindings/bindgen/face.txt).

What UniFFI writes beside its code is not enough for a strict type checker: an error's `code` has no type there, and the
variants of an enum are no kinds of it.
"""

import re
from collections import defaultdict

PLAIN = {"string": "str", "boolean": "bool", "bytes": "builtins.bytes"}
LINE = re.compile(
    r"(?P<sort>enum|record|object|trait|function) (?P<name>\w+)(?: (?P<index>\d+))?:? ?(?P<rest>.*)"
)
CALL = re.compile(
    r"(?P<constructor>constructor )?(?P<name>\w+)(?P<asynchronous> async)?\((?P<args>.*?)\)(?: -> (?P<gives>.+?))?(?: throws \w+)?$"
)
# What UniFFI makes of a class that only calls of others make.
UNMADE = "    def __init__(self, *args: NoReturn, **kwargs: NoReturn) -> None: ..."
HEAD = """import builtins
import enum
from typing import NoReturn, Protocol

class InternalError(Exception): ...
"""


def type_of(face):
    if face.endswith("?"):
        return f"{type_of(face[:-1])} | None"
    if face.startswith("["):
        return f"list[{type_of(face[1:-1])}]"
    return "int" if re.fullmatch(r"u?int\d+", face) else PLAIN.get(face, face)


def parameters(fields):
    """`a: int64, b: string? = default` as Python writes it."""
    found = []
    for field in filter(None, fields.split(", ")):
        declared, default, _ = field.partition(" = default")
        name, face = declared.split(": ", 1)
        found.append(f"{name}: {type_of(face)}{' = ...' if default else ''}")
    return found


def call(text, owner=None):
    parts = CALL.fullmatch(text)
    if parts is None:
        raise ValueError(f"no call: {text}")
    args = parameters(parts["args"])
    gives = type_of(parts["gives"]) if parts["gives"] else "None"
    asynchronous = "async " if parts["asynchronous"] else ""
    if not parts["constructor"]:
        return f"{asynchronous}def {parts['name']}({', '.join(['self'] * bool(owner) + args)}) -> {gives}: ..."
    if parts["name"] == "new" and not asynchronous:
        return f"def __init__(self, {', '.join(args)}) -> None: ..."
    return f"@classmethod\n    {asynchronous}def {parts['name']}({', '.join(['cls'] + args)}) -> {owner}: ..."


def calls(owner, lines):
    return [f"    {call(line, owner)}" for line in lines]


def variants(lines):
    return [re.fullmatch(r"(\w+)\((.*)\)", line).groups() for line in lines]


def snake(name):
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)


def record(name, fields):
    declared = parameters(", ".join(fields))
    attributes = [f"    {field.removesuffix(' = ...')}" for field in declared]
    return [f"class {name}:", *attributes, f"    def __init__(self, *, {', '.join(declared)}) -> None: ..."]


def error(name, lines):
    """`code` and `detail` of whichever variant: every error has them."""
    out = [f"class {name}(Exception):"]
    shared = variants(lines)[0][1]
    out += [f"    {field}" for field in parameters(shared)]
    for variant, fields in variants(lines):
        init = ", ".join(parameters(fields))
        out += [f"    class {variant}({name}):", f"        def __init__(self, {init}) -> None: ..."]
    return out


def enumeration(name, lines):
    found = variants(lines)
    if not any(fields for _, fields in found):
        return [f"class {name}(enum.Enum):"] + [f"    {snake(v).upper()} = {i}" for i, (v, _) in enumerate(found)]
    out = [f"class {name}:"]
    for variant, fields in found:
        declared = parameters(fields)
        out += [f"    class {snake(variant).upper()}({name}):", *(f"        {field}" for field in declared)]
        out += [f"        def __init__({', '.join(['self', *declared])}) -> None: ..."]
    for variant, _ in found:
        out += [f"    def is_{word}(self) -> bool: ..." for word in (snake(variant).upper(), snake(variant).lower())]
    return out


def of(face):
    """The text of `__init__.pyi`."""
    parts, sorts = defaultdict(list), {}
    functions = []
    for line in face.splitlines():
        found = LINE.fullmatch(line)
        if found is None:
            raise ValueError(f"no line of a face: {line}")
        if found["sort"] == "function":
            functions.append(call(line.removeprefix("function ")))
            continue
        sorts[found["name"]] = found["sort"]
        parts[found["name"]].append(found["rest"])

    out = []
    for name, lines in parts.items():
        if sorts[name] == "record":
            out += record(name, lines)
        elif sorts[name] == "enum":
            out += error(name, lines) if name.endswith("Error") else enumeration(name, lines)
        elif sorts[name] == "trait":
            out += [f"class {name}:", *calls(name, lines), f"class {name}Impl({name}):", UNMADE]
        else:
            methods = [line for line in lines if not line.startswith("constructor ")]
            out += [f"class {name}Protocol(Protocol):", *(calls(name, methods) or ["    pass"])]
            out += [f"class {name}({name}Protocol):", *calls(name, lines)]
            out += [] if any(line.startswith("constructor new(") for line in lines) else [UNMADE]
        out.append("")
    text = "\n".join(out + functions)
    names = ["InternalError", *re.findall(r"^(?:class|def|async def) (\w+)", text, re.M)]
    exported = "\n".join(f'    "{name}",' for name in names)
    return f"{HEAD}\n__all__ = [\n{exported}\n]\n\n{text}\n"
