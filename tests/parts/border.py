"""Adds a field to every record of the core's views that the bindings name, in a copy of the sources, and fills it there.

Arguments: the copy's root. Prints the records, one a line.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
CORE = [path for path in sorted((ROOT / "core/till/src").rglob("*.rs")) if "tests" not in path.parts]
FFI = sorted((ROOT / "bindings/ffi/src").rglob("*.rs"))

named = set()
for path in FFI:
    named.update(re.findall(r"takings_till::views::(\w+) \{", path.read_text("utf-8")))
sources = {path: path.read_text("utf-8") for path in CORE}
planted = []
for record in sorted(named):
    definition = re.compile(rf"^pub struct {record} \{{$", re.M)
    if not any(definition.search(text) for text in sources.values()):
        continue  # An enum: its variants are matched without a wildcard.
    planted.append(record)
    for path, text in sources.items():
        lines = []
        for line in text.split("\n"):
            if line == f"pub struct {record} {{":
                line += f"\n    /// Planted.\n    pub planted: Option<String>,"
            elif not re.search(r"->|^\s*(pub(\(\w+\))? )?(struct|impl|enum|mod|use)\b|^\s*//", line):
                # The core fills its field, so that only the border is left to complain.
                line = re.sub(rf"\b{record} \{{", f"{record} {{ planted: None,", line)
            lines.append(line)
        sources[path] = "\n".join(lines)
for path, text in sources.items():
    path.write_text(text, "utf-8")
print("\n".join(planted))
