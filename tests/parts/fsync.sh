#!/usr/bin/env bash
# Syncs counted with strace: one between a card's bytes and "saved", in the plain and in the encrypted build.
#   tests/parts/fsync.sh [TILL [ARGUMENTS of fsync.py]]     one till-cli alone; --key for an encrypted one
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

command -v python3 >/dev/null || fail "python3 is needed"
want_tool strace strace
command -v strace >/dev/null || fail "strace is needed (Debian: apt-get install strace)"
strace --quiet=all --trace=none true 2>/dev/null || fail "strace cannot attach here: this part needs ptrace"
if [ $# -gt 0 ]; then
    cargo build --quiet -p sandbox-acquirer
    python3 tests/parts/fsync.py "$@"
    exit
fi
build_both_tills
# Each refuses the other's arguments: neither can be counted for the other.
echo "plain:"
python3 tests/parts/fsync.py "$PLAIN_TILL"
echo "encrypted:"
python3 tests/parts/fsync.py "$ENCRYPTED_TILL" --key "$(printf '5c%.0s' {1..32})"
