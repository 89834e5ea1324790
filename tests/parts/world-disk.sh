#!/usr/bin/env bash
# The disk below the ledger: power cuts, plain and encrypted, and the proof that lost payments are seen; a disk that fails or is
# full from any call of a short day on; files changed by hand.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

RESULTS=$ROOT/target/world-results
mkdir -p "$RESULTS"
cargo build --quiet --profile world -p world
target/world/world power --cuts 2000 --json "$RESULTS/power.json"
target/world/world sweep --json "$RESULTS/sweep.json"
target/world/world tamper --files 1000 --json "$RESULTS/tamper.json"

cargo run --quiet --profile world -p world --features planted -- power --cuts 300 --normal --json "$RESULTS/normal.json"

need_openssl_source_build
encrypted() {
    cargo run --quiet -p world --no-default-features --features sqlcipher -- "$@"
}
encrypted power --cuts 200 --json "$RESULTS/power-sqlcipher.json"
encrypted tamper --files 200 --json "$RESULTS/tamper-sqlcipher.json"
