#!/usr/bin/env bash
# The contract document against redocly's rules for OpenAPI 3.1.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../tools.sh"

need_npm @redocly/cli 2.77.0
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
cd core/acquirers
"$TOOLS/node/node_modules/.bin/redocly" lint --config redocly.yaml openapi.yaml
