#!/usr/bin/env bash
# Builds the program of the kernel path, ebpf/trafficmonitor.o, and compares it with the committed one.
#
#   scripts/ebpf.sh             builds; fails if the result differs
#   scripts/ebpf.sh --replace   builds; replaces the committed object
#
# The compiler is Debian's rustc-web, unpacked under target/tools: the object depends on the compiler to the byte, and
# nothing is installed. Those who build trafficmonitor itself need none of this.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/target/tools
object=ebpf/trafficmonitor.o
build=$PWD/target/ebpf

scripts/unpack.sh rustc-web libstd-rust-web-1.96 libstd-rust-web-dev rust-web-src libllvm22
libraries=$tools/usr/lib/x86_64-linux-gnu
wrapper=$tools/bin/rustc-web
mkdir -p "$tools/bin"
cat > "$wrapper" <<EOF
#!/bin/sh
LD_LIBRARY_PATH=$libraries exec $tools/usr/bin/rustc "\$@"
EOF
chmod +x "$wrapper"
if ! "$tools/bin/bpf-linker" --version 2>/dev/null | grep -q ' 0\.10\.3$'; then
    CARGO_TARGET_DIR=$tools/build cargo install bpf-linker --version 0.10.3 --locked --root "$tools"
fi
command -v llvm-strip >/dev/null || {
    printf 'ebpf: llvm-strip is missing (Debian: apt-get install llvm)\n' >&2
    exit 1
}

# Paths of this machine stay out of the object. The linker finds LLVM beside the compiler.
flags="--cfg=bpf_target_arch=\"x86_64\" -Cdebuginfo=2 -Ctarget-cpu=v3 -Clinker=$tools/bin/bpf-linker -Clink-arg=--btf"
flags="$flags --remap-path-prefix=$PWD=. --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo --remap-path-prefix=$tools=tools"
(
    cd ebpf
    env RUSTC="$wrapper" RUSTC_BOOTSTRAP=1 LD_LIBRARY_PATH="$libraries" RUSTFLAGS="$flags" CARGO_TARGET_DIR="$build" \
        CARGO_INCREMENTAL=0 cargo build --locked --release --target bpfel-unknown-none -Z build-std=core
)
llvm-strip -g -o "$build/trafficmonitor.o" "$build/bpfel-unknown-none/release/trafficmonitor-ebpf"

if [ "${1:-}" = --replace ]; then
    install -m 644 "$build/trafficmonitor.o" "$object"
    printf 'ebpf: %s is replaced (%s bytes)\n' "$object" "$(stat -c %s "$object")"
elif cmp "$build/trafficmonitor.o" "$object"; then
    printf 'ebpf: the result is %s to the byte\n' "$object"
else
    printf 'ebpf: the result differs from %s; after a change: scripts/ebpf.sh --replace\n' "$object" >&2
    exit 1
fi
