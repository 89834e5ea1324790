#!/usr/bin/env bash
# The border: builds the library with encryption, generates Kotlin, Swift and Python, holds its face against the accepted
# one, and plays days, cancelled calls, panics and misbehaving apps through Rust and Python.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

need_venv bindings bindings/tests/requirements.txt
BINDINGS_PYTHON=$TOOLS/bindings/bin/python

cargo build --quiet -p sandbox-acquirer
cargo run --quiet -p takings-bindgen -- target/bindings

# A field added to one of the core's records must not compile here until it is added here: tried on a copy.
copy=$ROOT/target/planted-border
rm -rf "$copy"
mkdir -p "$copy/tests"
cp -R core bindings "$copy/"
cp -R tests/acquirer "$copy/tests/acquirer"
cp Cargo.lock "$copy/"
awk '/^members = / { print "members = [\"core/*\", \"bindings/ffi\", \"tests/acquirer\"]" }
     /^(default-)?members = / { skip = 1 } !skip { print } /\]$/ { skip = 0 }' Cargo.toml |
    # Another version, so that what is built here is never taken for what is built there.
    sed 's/^version = .*/version = "0.0.0-planted"/' >"$copy/Cargo.toml"
checked() {
    (cd "$copy" && CARGO_TARGET_DIR=$ROOT/target cargo check --quiet --offline -p takings-ffi) >"$copy/log" 2>&1
}
checked || { cat "$copy/log"; fail "the copy without a planted field does not compile"; }
for record in PaymentView PayoutView StatusView AlertView SyncReport VerifyReport PaymentQuery; do
    for file in views/{payments,payouts,state}.rs reading.rs engine/upkeep.rs; do cp "core/till/src/$file" "$copy/core/till/src/$file"; done
    # The core fills its field, so that only the border is left to complain.
    for file in views/{payments,payouts,state}.rs; do
        sed "s|^pub struct $record {|&\n    /// Planted.\n    pub planted: Option<String>,|" "core/till/src/$file" >"$copy/core/till/src/$file"
    done
    for file in reading.rs engine/upkeep.rs; do
        sed "/->/!s/\b$record {/& planted: None,/" "core/till/src/$file" >"$copy/core/till/src/$file"
    done
    if checked; then fail "a field added to $record crosses the border unnoticed"; fi
    grep -q 'could not compile `takings-ffi`' "$copy/log" || { cat "$copy/log"; fail "$record: it fails elsewhere"; }
    echo "a field added to $record does not compile in bindings/ffi"
done
rm -rf "$copy"

cargo test --quiet -p takings-ffi -p takings-bindgen
cargo test --quiet -p takings-till --lib runtime

# Planted last: it leaves a library with exports that nobody may ship.
cargo run --quiet -p takings-bindgen -- target/bindings-planted --planted
PYTHONPATH=target/bindings-planted/python SANDBOX=target/debug/sandbox-acquirer RUST_BACKTRACE=0 \
    "$BINDINGS_PYTHON" bindings/tests/test_border.py
cargo build --quiet -p takings-ffi
