"""Adds a field to every record of the core's that the bindings build or take apart, in a copy of the sources, and fills it there.

    border.py COPY           changes the copy, and prints the records, one a line
    border.py COPY complaints    reads the compiler's words, and says which of these records it does not complain of

The demo world is left out: nothing of what it makes crosses from the core to a shell.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
CORE = [path for path in sorted((ROOT / "core").glob("*/src/**/*.rs"))]
FFI = [path for path in sorted((ROOT / "bindings/ffi/src").rglob("*.rs")) if "demo" not in path.parts]
# What a line may not be, for a name and a brace in it to make or match a value.
NO_VALUE = re.compile(r"->|^\s*(pub(\(\w+\))? )?(struct|impl|enum|trait|mod|use|union)\b|^\s*//")


def field(record):
    return f"planted_{re.sub('(?<!^)(?=[A-Z])', '_', record).lower()}"


def body(text, start):
    """What stands between the brace at `start` and its partner, without what stands in braces inside."""
    depth, inner = 0, []
    for letter in text[start:]:
        depth -= letter == "}"
        if depth == 0 and letter == "}":
            break
        if depth == 1:
            inner.append(letter)
        depth += letter == "{"
    return "".join(inner)


def imported(text):
    """What a file knows of the core by its bare name."""
    names = set()
    for uses in re.findall(r"^use takings_\w+::([^;]*);", text, re.M):
        names.update(re.findall(r"\b([A-Z]\w*)\b(?! as)", uses))
    return names


def values(text):
    """(record, body) of all that this file builds of the core's, or takes apart."""
    for found in re.finditer(r"\btakings_\w+::(?:[a-z]\w*::)*([A-Z]\w*) \{", text):
        line = text[text.rfind("\n", 0, found.start()) + 1 : text.find("\n", found.end())]
        if re.match(r"impl\b", line):
            # Its own name inside: `Self {`.
            block = text[found.start() : text.index("\n}", found.end())]
            for own in re.finditer(r"\bSelf \{", block):
                yield found[1], body(block, own.end() - 1)
        elif " of takings_" in line or not re.search(r"->|\bfor takings", line):
            yield found[1], body(text, found.end() - 1)
    for name in imported(text):
        for found in re.finditer(rf"(?<![:\w]){name} \{{", text):
            line = text[text.rfind("\n", 0, found.start()) + 1 : text.find("\n", found.end())]
            if not NO_VALUE.search(line):
                yield name, body(text, found.end() - 1)


def fill(text, record):
    """The core makes and matches the record with its new field, so that only the border is left to complain."""
    lines, own = [], False
    for line in text.split("\n"):
        if re.match(rf"impl\b.*\b{record}\b(<.*>)? \{{$", line) and not re.search(rf"\b{record}\b.* for \w", line):
            own = True
        elif line == "}":
            own = False
        if line == f"pub struct {record} {{":
            line += f"\n    /// Planted.\n    pub {field(record)}: (),"
        elif not NO_VALUE.search(line):
            names = rf"{record}|Self" if own else record
            # Not a choice of the same name.
            line = re.sub(rf"(\b\w+::)?\b(?:{names}) \{{", lambda m: m[0] if (m[1] or "a")[0].isupper() else f"{m[0]} {field(record)}: (),", line)
        lines.append(line)
    return "\n".join(lines)


def plant():
    sources = {path: path.read_text("utf-8") for path in CORE}
    records, lost = set(), []
    for path in FFI:
        for record, inside in values(path.read_text("utf-8")):
            if not any(f"\npub struct {record} {{" in text for text in sources.values()):
                continue  # An enum: its choices are matched without a wildcard.
            records.add(record)
            if re.search(r"\.\.", inside):
                lost.append(f"{record} in {path.relative_to(ROOT)}")
    if lost:
        sys.exit(f"error: with `..` a new field of the core's is lost in silence: {', '.join(sorted(lost))}")
    for record in sorted(records):
        sources = {path: fill(text, record) for path, text in sources.items()}
    for path, text in sources.items():
        path.write_text(text, "utf-8")
    # Each mirrored record in a call of the macro of its own: the compiler names the call, not the field.
    for path in FFI:
        text = path.read_text("utf-8")
        path.write_text(re.sub(r"^    \}\n(?=    (///|\w+ of takings_))", "    }\n}\nmirror! {\n", text, flags=re.M), "utf-8")
    print("\n".join(sorted(records)))


def judge(said):
    """One block an error. Each must be the border's, for a planted field; each planted field must have one."""
    records = (ROOT / "records").read_text("utf-8").split()
    missing = {field(record) for record in records}
    for block in re.split(r"\n\n(?=error)", said):
        if not block.startswith("error") or re.match(r"error: could not compile `takings-ffi`", block):
            continue
        named = set(re.findall(r"`(planted_\w+)`", block.split("\n", 1)[0]))
        if "pattern requires `..` due to inaccessible fields" in block and (call := re.search(r"::: (bindings/ffi/src/\S+):(\d+):", block)):
            after = (ROOT / call[1]).read_text("utf-8").split("\n")[int(call[2]) - 1 :]
            named = {field(re.search(r" of takings_[\w:]*::(\w+) \{", "\n".join(after))[1])}
        if not named or "--> bindings/ffi/src/" not in block:
            sys.exit(f"error: this is not the border's complaint of a planted field:\n{block}")
        missing -= named
    if missing:
        sys.exit(f"error: added to a record of the core, these fields cross the border unnoticed: {', '.join(sorted(missing))}")


if __name__ == "__main__":
    judge(pathlib.Path(sys.argv[2]).read_text("utf-8")) if len(sys.argv) > 2 else plant()
