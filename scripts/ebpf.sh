#!/usr/bin/env bash
# Builds the program of the kernel path, ebpf/trafficmonitor.o, and compares it with the committed one.
#
#   scripts/ebpf.sh             builds; fails if the result differs
#   scripts/ebpf.sh --replace   builds; replaces the committed object
#
# Both write ebpf/trafficmonitor.sha256: the hashes of all that the object is made of, and of the object. A test compares
# them, so that a change of a source needs a new object.
#
# The compiler is Debian's rustc-web, unpacked under target/ebpf-tools, since the object depends on the compiler to the
# byte. Nothing is installed, and the folder is on no PATH. Building trafficmonitor itself needs none of this.
set -euo pipefail
cd "$(dirname "$0")/.."

# All versions that the object depends on. After a change: scripts/ebpf.sh --replace
rust=1.96.0+dfsg1-1~deb12u2
llvm=1:22.1.8-1~deb12u1
bpf_linker=0.10.3

tools=$PWD/target/ebpf-tools
object=ebpf/trafficmonitor.o
hashes=ebpf/trafficmonitor.sha256
build=$PWD/target/ebpf
built=$build/trafficmonitor.o

unpack_compiler() {
    local release llvm_major
    release=$(cut -d. -f1,2 <<<"$rust")
    llvm_major=${llvm#*:} llvm_major=${llvm_major%%.*}
    UNPACK_INTO=$tools scripts/unpack.sh "rustc-web=$rust" "libstd-rust-web-$release=$rust" "libstd-rust-web-dev=$rust" \
        "rust-web-src=$rust" "libllvm$llvm_major=$llvm" "llvm-$llvm_major=$llvm"
    libraries=$tools/usr/lib/$(uname -m)-linux-gnu
    strip=$tools/usr/lib/llvm-$llvm_major/bin/llvm-strip
    wrapper=$tools/bin/rustc-web
    mkdir -p "$tools/bin"
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s/usr/bin/rustc "$@"\n' "$libraries" "$tools" >"$wrapper"
    chmod +x "$wrapper"
}

install_linker() {
    "$tools/bin/bpf-linker" --version 2>/dev/null | grep -qxF "bpf-linker $bpf_linker" ||
        CARGO_TARGET_DIR=$tools/build cargo install bpf-linker --version "=$bpf_linker" --locked --force --root "$tools"
}

build_object() {
    # Paths of this machine stay out of the object. The linker finds LLVM beside the compiler. bpf_target_arch is about
    # the registers that kprobes read; there are none, so one value does for all machines.
    local flags="--cfg=bpf_target_arch=\"x86_64\" -Cdebuginfo=2 -Ctarget-cpu=v3 -Ctarget-feature=+allows-misaligned-mem-access -Clinker=$tools/bin/bpf-linker"
    flags="$flags -Clink-arg=--btf --remap-path-prefix=$PWD=. --remap-path-prefix=$tools=tools"
    flags="$flags --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
    (
        cd ebpf
        env RUSTC="$wrapper" RUSTC_BOOTSTRAP=1 LD_LIBRARY_PATH="$libraries" RUSTFLAGS="$flags" CARGO_TARGET_DIR="$build" \
            CARGO_INCREMENTAL=0 cargo build --locked --release --target bpfel-unknown-none -Z build-std=core
    )
    LD_LIBRARY_PATH=$libraries "$strip" -g -o "$built" "$build/bpfel-unknown-none/release/trafficmonitor-ebpf"
}

write_hashes() {
    LC_ALL=C sha256sum ebpf/Cargo.lock ebpf/Cargo.toml ebpf/src/*.rs "$object" scripts/ebpf.sh >"$hashes"
}

unpack_compiler
install_linker
build_object
if [ "${1:-}" = --replace ]; then
    install -m 644 "$built" "$object"
    printf 'ebpf: %s is replaced (%s bytes)\n' "$object" "$(stat -c %s "$object")"
elif cmp "$built" "$object"; then
    printf 'ebpf: the result is %s to the byte\n' "$object"
else
    printf 'ebpf: the result differs from %s; after a change: scripts/ebpf.sh --replace\n' "$object" >&2
    exit 1
fi
write_hashes
