#!/usr/bin/env bash
# Builds dist/trafficmonitor-VERSION-ARCH-unknown-linux-musl: one file that needs no library of the host, with musl as its
# C library and a libpcap that is compiled here from Debian's sources. It reads interfaces only: no Bluetooth, USB or D-Bus.
#
#   scripts/static.sh
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/release-env.sh

target=$(uname -m)-unknown-linux-musl
pcap=$CARGO_TARGET_DIR/libpcap-musl
name=trafficmonitor-$version-$target

die() {
    printf 'static: %s\n' "$*" >&2
    exit 1
}

# Rust's standard library for musl.
install_std() {
    [ ! -d "$(rustc --print target-libdir --target "$target")" ] || return 0
    command -v rustup >/dev/null || die "Rust's standard library for $target is missing, and there is no rustup to add it"
    rustup target add "$target"
}

# apt verifies the sources by the keys of the archive. This machine's lists name packages; these name sources too.
fetch_libpcap() {
    local lists=$pcap/apt
    rm -rf "$pcap"
    mkdir -p "$lists"/{parts,lists}
    for file in /etc/apt/sources.list{,.d/debian.list,.d/ubuntu.list}; do
        [ ! -e "$file" ] || sed -n 's/^deb /deb-src /p' "$file" >"$lists/parts/$(basename "$file" .list).list"
    done
    for file in /etc/apt/sources.list.d/{debian,ubuntu}.sources; do
        [ ! -e "$file" ] || sed 's/^Types: deb$/Types: deb-src/' "$file" >"$lists/parts/$(basename "$file")"
    done
    local options=(-q -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$lists/parts" -o "Dir::State::Lists=$lists/lists"
        -o "APT::Sandbox::User=$(id -un)")
    apt-get "${options[@]}" update
    (cd "$pcap" && apt-get "${options[@]}" source --download-only libpcap && dpkg-source --extract libpcap_*.dsc source)
}

# musl's compiler knows no header of the kernel: these, and nothing else of the host's.
link_kernel_headers() {
    local from=/usr/include multiarch
    multiarch=$(cc -print-multiarch)
    mkdir -p "$pcap/kernel"
    ln -sfn "$from/linux" "$pcap/kernel/linux"
    ln -sfn "$from/asm-generic" "$pcap/kernel/asm-generic"
    ln -sfn "$from/$multiarch/asm" "$pcap/kernel/asm"
}

build_libpcap() {
    [ ! -e "$pcap/lib/libpcap.a" ] || return 0
    fetch_libpcap
    link_kernel_headers
    (
        cd "$pcap/source"
        CC="musl-gcc -idirafter $pcap/kernel" CFLAGS="-O2 -fPIC -ffile-prefix-map=$PWD=/libpcap" ./configure --quiet --disable-shared \
            --disable-dbus --disable-rdma --disable-usb --disable-netmap --disable-bluetooth --without-libnl --without-dag \
            --without-snf --without-dpdk
        make --silent libpcap.a
    )
    install -D -m 644 "$pcap/source/libpcap.a" "$pcap/lib/libpcap.a"
}

install_std
build_libpcap
without_build_paths
make_small "$target"
variable=CC_${target//-/_}
export "$variable=musl-gcc"
export LIBPCAP_LIBDIR=$pcap/lib
LIBPCAP_VER=$(cat "$pcap/source/VERSION")
export LIBPCAP_VER
cargo build --release --locked --target "$target"

mkdir -p "$dist"
split "$CARGO_TARGET_DIR/$target/release/trafficmonitor" "$CARGO_TARGET_DIR/package/$name"
check_build_paths "$CARGO_TARGET_DIR/package/$name"
check_size "$CARGO_TARGET_DIR/package/$name"
! readelf --program-headers "$CARGO_TARGET_DIR/package/$name" | grep -c INTERP >/dev/null || die "the binary asks for a dynamic loader"
install -m 755 "$CARGO_TARGET_DIR/package/$name" "$dist/$name"
install -m 644 "$CARGO_TARGET_DIR/package/$name.debug" "$dist/$name.debug"
scripts/dependencies.py sbom "$target" "$dist/$name" "$LIBPCAP_VER" >"$dist/$name.spdx.json"
sums
