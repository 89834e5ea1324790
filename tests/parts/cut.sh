#!/usr/bin/env bash
# The line breaks after every byte of an answer and of a request; every payment still ends in one answer.
#   tests/parts/cut.sh [--full] [--seed N] [--only NAME]… [--workers N]     --full: every byte of everything, some minutes
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

cargo build --quiet -p cut -p till-cli -p sandbox-acquirer
# In memory where there is such a place: no power cut is played here, and a sync would only wait.
if [ -w /dev/shm ]; then dir=$(mktemp -d -p /dev/shm); else dir=$(mktemp -d); fi
trap 'rm -rf "$dir"' EXIT
target/debug/cut --dir "$dir" "$@"
