#!/usr/bin/env bash
# The line breaks after every byte of an answer and of a request; every payment still ends in one answer.
#   tests/parts/cut.sh [--full] [--seed N] [--only NAME]… [--workers N]     --full: every byte of everything, some minutes
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

cargo build --quiet -p cut -p till-cli -p sandbox-acquirer
target/debug/cut "$@"
