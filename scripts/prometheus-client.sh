#!/usr/bin/env bash
# Puts Python's prometheus_client, which reads OpenMetrics strictly, into an environment of its own under target/tools.
#
#   scripts/prometheus-client.sh
set -euo pipefail
cd "$(dirname "$0")/.."
environment=$PWD/target/tools/prometheus-client
version=0.22.1

[ ! -e "$environment/installed-$version" ] || exit 0
python3 -m venv --clear "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check "prometheus_client==$version"
touch "$environment/installed-$version"
