#!/usr/bin/env bash
# 30 SIGKILLs of till-cli while it charges and syncs; the example of its README runs as it stands there.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

command -v python3 >/dev/null || fail "python3 is needed"
command -v curl >/dev/null || fail "curl is needed for the example of tests/till-cli/README.md"
cargo build --quiet -p till-cli -p sandbox-acquirer
python3 tests/parts/kill.py

example=$(sed -n '/^```sh$/,/^```$/p' tests/till-cli/README.md | sed '1d;$d')
said=$(timeout 60 bash -c "$example")
[ "$(grep -c '"ok":true' <<<"$said")" = 11 ] || fail "the example of tests/till-cli/README.md does not run: $said"
echo "the example of tests/till-cli/README.md runs"
