#!/usr/bin/env bash
# Puts what checks the examples of log agents into an environment of its own under target/tools: the language of Vector's
# transforms (VRL, built from Vector's own crate), and YAML.
#
#   scripts/pipelines.sh
set -euo pipefail
cd "$(dirname "$0")/.."
environment=$PWD/target/tools/pipelines
packages=(vrl-python==0.1.0 PyYAML==6.0.2)
mark="$environment/installed-${packages[*]// /-}"

[ ! -e "$mark" ] || exit 0
python3 -m venv --clear "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "${packages[@]}"
touch "$mark"
