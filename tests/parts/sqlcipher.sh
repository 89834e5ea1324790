#!/usr/bin/env bash
# Everything that opens a ledger, built with SQLCipher: its tests, then both builds in front of each other's files.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

command -v python3 >/dev/null || fail "python3 is needed"
need_openssl_source_build
# One command: the packages share one set of features, and nothing is built twice. The plain build keeps its own artefacts.
cargo test --no-fail-fast --features sqlcipher -p takings-store -p takings-till -p till-cli -p hostile

build_both_tills
python3 tests/parts/sqlcipher.py "$ENCRYPTED_TILL" "$PLAIN_TILL"
