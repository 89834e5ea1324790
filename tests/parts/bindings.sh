#!/usr/bin/env bash
# The border: builds the library with encryption, generates Kotlin, Swift and Python, holds its face against the accepted
# one, and plays days, cancelled calls, panics and misbehaving apps through Rust and Python; runs the README's examples.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

need_venv bindings bindings/tests/requirements.txt
BINDINGS_PYTHON=$TOOLS/bindings/bin/python

generate target/bindings

# None of the bugs that the simulator plants is in the library; and the same look finds them where they are.
library=$(find target/debug -maxdepth 1 \( -name libtakings_ffi.so -o -name libtakings_ffi.dylib \))
[ -f "$library" ] || fail "the library is not in target/debug"
found=$(planted_in "$library")
[ -z "$found" ] || fail "bugs that can be planted are in $library: ${found//$'\n'/, }"
cargo build --quiet -p takings-domain --features planted
[ "$(planted_in target/debug/libtakings_domain.rlib)" = "$(bugs)" ] || fail "bugs are not found where they are planted"
echo "none of the $(bugs | wc -l) bugs that can be planted is in the library, and all are found where they are"

# A field added to one of the core's records must not compile here until it is added here: tried on a copy, with all
# records at once. It is checked, not built: nothing of it can be taken for what is built there, and the lints of
# .ci/run use the same artefacts of what comes from outside.
copy=$ROOT/target/planted-border
rm -rf "$copy"
mkdir -p "$copy/tests"
cp -R core bindings "$copy/"
cp -R tests/acquirer "$copy/tests/acquirer"
cp Cargo.lock "$copy/"
awk '/^members = / { print "members = [\"core/*\", \"bindings/ffi\", \"tests/acquirer\"]" }
     /^(default-)?members = / { skip = 1 } !skip { print } /\]$/ { skip = 0 }' Cargo.toml |
    sed 's/^version = .*/version = "0.0.0-planted"/' >"$copy/Cargo.toml"
"$BINDINGS_PYTHON" tests/parts/border.py "$copy" >"$copy/records"
if (cd "$copy" && CARGO_TARGET_DIR=$ROOT/target cargo check --quiet --offline -p takings-ffi) >"$copy/log" 2>&1; then
    fail "a field added to a record of the core crosses the border unnoticed"
fi
# By the border alone, for each, and about nothing else: then it is for the field that each is refused.
"$BINDINGS_PYTHON" tests/parts/border.py "$copy" "$copy/log"
[ "$(wc -l <"$copy/records")" -ge 20 ] || fail "records that cross the border were not found: $(tr '\n' ' ' <"$copy/records")"
echo "a field added to any of these does not compile in bindings/ffi: $(tr '\n' ' ' <"$copy/records")"
rm -rf "$copy"

cargo test --quiet -p takings-ffi -p takings-bindgen
PYTHONPATH=target/bindings/python "$BINDINGS_PYTHON" tests/parts/readme.py

# Planted last: it leaves a library with exports that nobody may ship.
generate target/bindings-planted --planted
PYTHONPATH=target/bindings-planted/python SANDBOX=target/debug/sandbox-acquirer RUST_BACKTRACE=0 \
    "$BINDINGS_PYTHON" -m unittest discover -s bindings/tests
cargo build --quiet "${BORDER[@]}"
