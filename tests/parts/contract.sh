#!/usr/bin/env bash
# The contract judged by tools nobody here wrote: a fuzzer, a validating proxy over a market day, foreign signatures; and
# whether each of them sees what is wrong.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

need_venv contract tests/contract/requirements.txt
need_npm @stoplight/prism-cli 5.14.2
need_npm @redocly/cli 2.77.0
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
cargo build --quiet -p sandbox-acquirer -p till-cli -p market-day

# judge SECONDS SCRIPT: bounded, whatever the script waits for.
judge() { timeout "$1" "$TOOLS/contract/bin/python" "$2" || fail "$2 (exit code $?; 124: not done within $1 s)"; }
judge 60 core/acquirers/tests/check_golden.py
judge 120 tests/contract/signatures.py
judge 200 tests/contract/day.py
judge 300 tests/contract/fuzz.py
judge 300 tests/contract/planted.py
