#!/usr/bin/env bash
# The world simulator: its own tests; 300 days judged, what fits in five minutes; the same days in debug and in release; every planted bug found.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

RESULTS=$ROOT/target/world-results
mkdir -p "$RESULTS"
cargo test --quiet --profile world -p world
cargo build --quiet --profile world -p world
target/world/world run --seeds 0..300 --json "$RESULTS/days.json"

# What an optimiser changes, a day must not notice.
cargo build --quiet -p world
target/debug/world run --seeds 0..50 --hours 2 --phones 2 --json "$RESULTS/debug.json" >/dev/null
target/world/world run --seeds 0..50 --hours 2 --phones 2 --json "$RESULTS/release.json" >/dev/null
python3 - "$RESULTS/debug.json" "$RESULTS/release.json" <<'PY'
import json, sys
debug, release = (json.load(open(path, encoding="utf-8"))["traces"] for path in sys.argv[1:])
other = [seed for seed in debug if debug[seed] != release.get(seed)]
if other or len(debug) != 50:
    sys.exit(f"debug and release differ in seeds {other} of {len(debug)}")
print(f"{len(debug)} days have the same hash in debug and in release")
PY

target/world/world planted --json "$RESULTS/planted.json"
