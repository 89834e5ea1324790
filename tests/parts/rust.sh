#!/usr/bin/env bash
# Every crate's tests. SQLCipher is a run of its own: one build with both features would only ever test SQLCipher.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

# Arguments of cargo test, one run a line.
RUNS=(
    ""
)

status=0
for arguments in "${RUNS[@]}"; do
    # shellcheck disable=SC2086
    cargo test --no-fail-fast $arguments || status=1
done
exit "$status"
