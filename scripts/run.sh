#!/usr/bin/env bash
# Runs the exporter that `make run` has built; called by it.
#
#   scripts/run.sh BINARY [OPTION…]     environment: IFACE, LISTEN
set -euo pipefail
binary=$1
shift
listen=${LISTEN:-:8888}
PATH=$PATH:/usr/sbin:/sbin

# Capturing needs CAP_NET_RAW and nothing else; a build makes a new file, which has no capability.
allow_capture() {
    [ "$(id -u)" != 0 ] || return 0
    case "$(getcap "$binary" 2>/dev/null)" in *cap_net_raw*) return 0 ;; esac
    printf 'run: capturing needs a capability: sudo setcap cap_net_raw=ep %s\n' "$binary"
    command -v sudo >/dev/null || {
        printf 'run: there is no sudo; have an administrator run the setcap line, or run as root\n' >&2
        exit 1
    }
    sudo setcap cap_net_raw=ep "$binary"
}

url() {
    case "$listen" in
    :*) printf 'http://localhost%s/metrics' "$listen" ;;
    *) printf 'http://%s/metrics' "$listen" ;;
    esac
}

allow_capture
printf 'run: capturing on %s, metrics at %s (Ctrl-C ends it)\n' "${IFACE:-all interfaces}" "$(url)"
exec "$binary" ${IFACE:+-iface "$IFACE"} -promHTTP "$listen" "$@"
