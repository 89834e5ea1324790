#!/usr/bin/env bash
# Every crate's tests, in the plain build. One build with both features would only ever test SQLCipher: that is sqlcipher.sh.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

cargo test --no-fail-fast
