#!/usr/bin/env bash
# Syncs counted with strace: one between a card's bytes and "saved".
#   tests/parts/fsync.sh [TILL [ARGUMENTS of fsync.py]]     another till-cli, for example an encrypted build with --key
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

command -v python3 >/dev/null || fail "python3 is needed"
if ! command -v strace >/dev/null; then
    echo "installing strace with apt-get"
    { apt-get update -qq && apt-get install -y -qq strace; } >/dev/null || fail "strace is needed (Debian: apt-get install strace)"
fi
strace --quiet=all --trace=none true 2>/dev/null || fail "strace cannot attach here: this part needs ptrace"
cargo build --quiet -p sandbox-acquirer
if [ $# -eq 0 ]; then
    cargo build --quiet -p till-cli
    set -- target/debug/till-cli
fi
python3 tests/parts/fsync.py "$@"
