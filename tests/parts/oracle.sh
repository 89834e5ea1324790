#!/usr/bin/env bash
# Calendar data still is what its two sources say, and 1,000 random expected days agree with the oracle.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

need_python
"$PYTHON" tests/oracle/generate_calendar.py --check
"$PYTHON" tests/oracle/calendar_oracle.py
