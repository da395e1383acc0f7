# Shared by scripts/release.sh, deb.sh and static.sh, which source it in the top folder.
# shellcheck shell=bash disable=SC2034

version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n1)
# Where the files of a release go; the packages' test has another folder.
dist=${DIST:-$PWD/dist}
# The time of the commit is the time of all that is built.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# A stripped binary may have 12 MiB.
most_bytes=$((12 * 1024 * 1024))

# Keeps the paths of this machine out of the binary: those of Rust sources by rustc, those of C sources by the C compiler.
without_build_paths() {
    local cargo_home=${CARGO_HOME:-$HOME/.cargo}
    export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$PWD=/source"
    export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$cargo_home=/cargo -ffile-prefix-map=$PWD=/source"
}

# make_small TARGET: copies fewer small functions into their callers, which costs up to 8 % more instructions, most of them in
# merging and in the history. Where the linker is LLVM's, it keeps one of several functions with the same code. Relocations are
# packed where the C library is glibc, from 2.36 on.
make_small() {
    try_option "$1" -Cllvm-args=-inline-threshold=50
    try_option "$1" -Clink-arg=-Wl,--icf=all
    case "$1" in *-gnu) try_option "$1" -Clink-arg=-Wl,-z,pack-relative-relocs ;; esac
}

# try_option TARGET OPTION: adds an option of rustc if a program can be built and run with it.
try_option() {
    local tried
    tried=$(mktemp)
    if rustc --target "$1" --crate-name tried "$2" -o "$tried" - <<<'fn main() {}' 2>/dev/null && "$tried"; then
        export RUSTFLAGS="${RUSTFLAGS:-} $2"
    fi
    rm -f "$tried"
}

check_build_paths() {
    local path
    for path in "${CARGO_HOME:-$HOME/.cargo}" "$PWD"; do
        if grep -qaF "$path/" "$1"; then
            printf 'release: %s contains the path %s of this machine\n' "$1" "$path" >&2
            return 1
        fi
    done
}

# A release that is too large fails in continuous integration; elsewhere the size is only printed.
check_size() {
    local bytes
    bytes=$(stat -c %s "$1")
    printf 'release: %s has %s bytes; a release has at most %s\n' "$1" "$bytes" "$most_bytes"
    [ "$bytes" -le "$most_bytes" ] || [ -z "${CI:-}" ]
}

# split FROM INTO: INTO is FROM without symbols, INTO.debug has them; debuggers find it beside INTO or by its build id.
split() {
    mkdir -p "$(dirname "$2")"
    objcopy --only-keep-debug --compress-debug-sections "$1" "$2.debug"
    chmod 644 "$2.debug"
    # To the folder of the link's target: the link names it without one.
    objcopy --strip-all "$1" "$2.stripped"
    (cd "$(dirname "$2")" && objcopy --add-gnu-debuglink="$(basename "$2").debug" "$(basename "$2").stripped")
    chmod 755 "$2.stripped"
    mv "$2.stripped" "$2"
}

# What the program prints for its users: printed FOLDER BINARY.
printed() {
    mkdir -p "$1"/completions/{bash,zsh,fish}
    "$2" man >"$1/trafficmonitor.8"
    "$2" completions bash >"$1/completions/bash/trafficmonitor"
    "$2" completions zsh >"$1/completions/zsh/_trafficmonitor"
    "$2" completions fish >"$1/completions/fish/trafficmonitor.fish"
}

# archive FOLDER FILE: the same files give the same archive.
archive() {
    tar --create --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --directory "$(dirname "$1")" "$(basename "$1")" | gzip -9n >"$2"
}

sums() {
    (cd "$dist" && find . -maxdepth 1 -type f ! -name SHA256SUMS -printf '%P\n' | LC_ALL=C sort | xargs -r sha256sum >SHA256SUMS)
    printf 'release: %s\n' "$dist"/*
}
