#!/usr/bin/env bash
# till-cli killed with SIGKILL before each sync of a short day, and 100 times at random moments, its acquirer now and then with it;
# the example of its README runs as it stands there.
#   tests/parts/kill.sh [ARGUMENTS of world kill]
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

command -v python3 >/dev/null || fail "python3 is needed"
command -v curl >/dev/null || fail "curl is needed for the example of tests/till-cli/README.md"
want_tool strace strace
command -v strace >/dev/null || fail "strace is needed (Debian: apt-get install strace)"
# The programs in a build of their own: what the simulator needs of the core is no part of them.
cargo build --quiet -p world
cargo build --quiet -p till-cli -p sandbox-acquirer
target/debug/world kill --times 100 "$@"

example=$(sed -n '/^```sh$/,/^```$/p' tests/till-cli/README.md | sed '1d;$d')
said=$(timeout 60 bash -c "$example")
[ "$(grep -c '"ok":true' <<<"$said")" = 11 ] || fail "the example of tests/till-cli/README.md does not run: $said"
echo "the example of tests/till-cli/README.md runs"
