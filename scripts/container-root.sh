#!/usr/bin/env bash
# Makes the files of the container's image; the Dockerfile calls it.
#
#   scripts/container-root.sh BINARY ROOT
set -euo pipefail
binary=$1 root=$2

# The dynamic loader and the libraries that it finds, at the paths where it looks for them.
libraries() { ldd "$binary" | grep -o '/[^ ]*'; }

install -D -m 755 "$binary" "$root/usr/bin/trafficmonitor"
strip --strip-all "$root/usr/bin/trafficmonitor"
# After the last change of the file, which would remove it.
setcap cap_net_raw=ep "$root/usr/bin/trafficmonitor"
for library in $(libraries); do
    install -D -m 755 "$(realpath "$library")" "$root$library"
done
install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
echo 'trafficmonitor:x:65532:65532:Traffic monitor:/:/nonexistent' >"$root/etc/passwd"
echo 'trafficmonitor:x:65532:' >"$root/etc/group"
