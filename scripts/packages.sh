#!/usr/bin/env bash
# Tries what `make release`, `make deb` and the Dockerfile give: the files of a release, the package in a new Debian
# root, the image. The program runs in both as the user that it is made for, with the capability that it is made for.
#
#   scripts/packages.sh BINARY [release|package|image]…      all when none is named; needs root
#
# No image registry is needed: a root made by debootstrap stands for the image that the Dockerfile begins with, and a
# program that hands out BINARY stands for cargo there.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
# The image may have 40 MB, of which the program may have 12 MiB (scripts/release-env.sh).
most_besides_program=$((40 * 1000 * 1000 - 12 * 1024 * 1024))

binary=$(realpath "$1")
shift
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(release package image)

work=$(mktemp -d)
export DIST=$work/dist BIN=$work/bin
# Without the kernel's overlay file system each layer is a copy.
driver=$(grep -cw overlay /proc/filesystems >/dev/null && echo overlay || echo vfs)
store=(buildah --root "$work/store" --runroot "$work/store.run" --storage-driver "$driver")

clean() {
    "${store[@]}" rm --all >/dev/null 2>&1 || true
    umount "$work/store/overlay" 2>/dev/null || true
    rm -rf --one-file-system "$work"
}
trap clean EXIT

die() {
    printf 'packages: %s\n' "$*" >&2
    exit 1
}

say() { printf 'packages: %s\n' "$*"; }

# --- a root of this machine's own release: the binary is linked with its libraries ---

suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
base=$PWD/target/tools/debootstrap-$suite.tar

make_base() {
    [ ! -e "$base" ] || return 0
    local mirror
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE)' | awk -v suite="$suite" '$2 == suite && !found++ { print $1 }')
    mkdir -p "$(dirname "$base")"
    debootstrap --variant=minbase --include=ca-certificates,binutils "$suite" "$work/base" ${mirror:+"$mirror"} >"$work/base.log" 2>&1 || {
        tail "$work/base.log" >&2
        die "debootstrap failed"
    }
    tar -C "$work/base" -cf "$base.new" .
    mv "$base.new" "$base"
    rm -rf "$work/base"
}

unpack_base() {
    make_base
    mkdir -p "$1"
    tar -C "$1" -xf "$base"
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
    [ ! -e /etc/hosts ] || cp /etc/hosts "$1/etc/hosts"
}

# in_root ROOT COMMAND…: with its own processes and /proc.
in_root() {
    unshare --mount --pid --fork bash -c 'mount -t proc proc "$1/proc" && exec chroot "$@"' in_root "$@"
}

# --- the program, running ---

# counts ROOT PORT COMMAND…: the command serves at the port of a new network and counts datagrams of its loopback.
counts() {
    unshare --net --mount --pid --fork --kill-child scripts/packages-run.sh "$@" || die "$3 does not run: see above"
}

# --- the files of a release ---

test_release() {
    local name archive
    BINARY=$binary scripts/release.sh
    (cd "$DIST" && sha256sum --check --quiet SHA256SUMS)
    archive=$(echo "$DIST"/*.tar.gz)
    name=$(basename "$archive" .tar.gz)
    tar -C "$work" -xf "$archive"
    for file in trafficmonitor trafficmonitor.8 LICENSE NOTICE THIRD-PARTY.txt examples/trafficmonitor.service; do
        [ -s "$work/$name/$file" ] || die "the archive lacks $file"
    done
    check_documents "$work/$name"
    "$work/$name/trafficmonitor" test "$work/$name/examples/cases.yml" >"$work/cases.log" || die "the example of the archive fails: $(cat "$work/cases.log")"
    "$work/$name/trafficmonitor" --version | grep -c '^trafficmonitor ' >/dev/null || die "the binary of the archive does not run"
    ! has_symbols "$BIN/trafficmonitor" || die "the binary has symbols"
    has_symbols "$BIN/trafficmonitor.debug" || die "the symbols are lost"
    readelf --debug-dump=links "$BIN/trafficmonitor" 2>/dev/null | grep -c 'Separate debug info file: trafficmonitor.debug' >/dev/null ||
        die "the binary does not name the file with its symbols"
    [ -z "$(build_id "$BIN/trafficmonitor")" ] || [ "$(build_id "$BIN/trafficmonitor")" = "$(build_id "$BIN/trafficmonitor.debug")" ] ||
        die "the symbols are those of another binary"
    test_sbom "$DIST/$name.spdx.json"
    sha256sum "$DIST"/*.tar.gz "$DIST"/*.json >"$work/first"
    BINARY=$binary scripts/release.sh >/dev/null
    sha256sum --check --quiet "$work/first" || die "the same binary gives another release"
    say "release: $(wc -l <"$DIST/SHA256SUMS") files, sums right, twice the same"
}

# check_documents FOLDER: links of documents lead somewhere, and examples name no document that is missing.
check_documents() {
    local faults missing
    faults=$(scripts/documents.py check "$1" 2>&1) || die "documents: $faults"
    missing=$(grep -rhoE '\bdocs/[a-z-]+\.md' "$1/examples" | sort -u | while read -r file; do [ -s "$1/$file" ] || echo "$file"; done)
    [ -z "$missing" ] || die "examples name documents that are missing: $missing"
}

has_symbols() { readelf --sections "$1" 2>/dev/null | grep -c ' \.symtab ' >/dev/null; }

build_id() { readelf --notes "$1" 2>/dev/null | sed -n 's/.*Build ID: //p'; }

# By the library of those who made SPDX.
test_sbom() {
    local tool=$PWD/target/tools/spdx/bin/pyspdxtools
    if [ ! -x "$tool" ]; then
        python3 -m venv target/tools/spdx
        target/tools/spdx/bin/pip install --quiet --disable-pip-version-check 'spdx-tools==0.8.*'
    fi
    "$tool" --infile "$1" || die "the SBOM is no valid SPDX"
    # shellcheck disable=SC2016
    python3 - "$1" <<'END'
import json, sys
document = json.load(open(sys.argv[1]))
names = {package["name"] for package in document["packages"]}
assert {"trafficmonitor", "libpcap", "tokio", "rustls", "ring"} <= names, names
assert not {"proptest", "criterion", "rcgen", "tempfile"} & names, "what only the tests use is listed"
END
}

# --- the package ---

test_package() {
    local deb root=$work/root
    scripts/deb.sh "$binary"
    deb=$(echo "$DIST"/trafficmonitor_*.deb)
    lintian --allow-root --fail-on error,warning "$deb" || die "lintian complains"
    say "lintian: no error, no warning"
    unpack_base "$root"
    cp "$deb" "$root/trafficmonitor.deb"
    install_package "$root"
    check_unit "$root"
    check_files "$root"
    check_examples "$root"
    run_as_service "$root"
    check_conffiles "$root"
    check_purge "$root"
    say "package: installed, run, reinstalled, purged"
}

install_package() {
    in_root "$1" sh -c 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends /trafficmonitor.deb' \
        >"$work/install.log" 2>&1 || {
        tail -n 30 "$work/install.log" >&2
        die "the package cannot be installed"
    }
}

check_unit() {
    local said
    said=$(in_root "$1" systemd-analyze verify --man=no /lib/systemd/system/trafficmonitor.service 2>&1) || die "the unit: $said"
    [ -z "$said" ] || die "the unit: $said"
    [ "$(readlink "$1/etc/systemd/system/multi-user.target.wants/trafficmonitor.service")" = /lib/systemd/system/trafficmonitor.service ] ||
        die "the unit is not enabled"
    grep -qx 'User=trafficmonitor' "$1/lib/systemd/system/trafficmonitor.service" ||
        die "the service does not run as the user of the package"
    say "systemd-analyze verify: nothing to say"
}

check_files() {
    local file conffiles
    for file in usr/share/man/man8/trafficmonitor.8.gz usr/share/bash-completion/completions/trafficmonitor \
        usr/share/zsh/vendor-completions/_trafficmonitor usr/share/fish/vendor_completions.d/trafficmonitor.fish \
        usr/share/doc/trafficmonitor/{copyright,changelog.gz,changelog.Debian.gz,THIRD-PARTY.txt.gz} \
        usr/share/doc/trafficmonitor/docs/{operating.md,openapi.yaml,migrating/wherefore.md} \
        usr/share/trafficmonitor/alerts.rules.yml usr/share/trafficmonitor/grafana/trafficmonitor.json; do
        [ -s "$1/$file" ] || [ -s "$1/${file%.gz}" ] || say "lacks $file"
    done >"$work/lacks"
    [ ! -s "$work/lacks" ] || die "the package: $(cat "$work/lacks")"
    conffiles=$(in_root "$1" dpkg-query --show --showformat '${Conffiles}' trafficmonitor | awk '{ print $1 }' | sort | xargs)
    [ "$conffiles" = "/etc/default/trafficmonitor /etc/logrotate.d/trafficmonitor /etc/trafficmonitor/trafficmonitor.yml" ] ||
        die "the configuration files are: $conffiles"
    in_root "$1" trafficmonitor --config.check -config /etc/trafficmonitor/trafficmonitor.yml >/dev/null ||
        die "the default configuration is wrong"
}

# The files that name others: documents, examples, and those in /etc and the unit.
check_examples() {
    local file said documents=/usr/share/doc/trafficmonitor
    check_documents "$1$documents"
    in_root "$1" trafficmonitor test $documents/examples/cases.yml >"$work/cases.log" 2>&1 ||
        die "the example of the package fails: $(cat "$work/cases.log")"
    for file in $(grep -hoE '(/usr/share/[a-z/]*/|\.\./)[a-zA-Z./-]+\.(md|yml)' "$1$documents"/examples/*.yml "$1"/etc/trafficmonitor/* \
        "$1/lib/systemd/system/trafficmonitor.service" | sort -u); do
        [ -s "$1$file" ] || die "a file of the package names $file, which it lacks"
    done
    said=$(grep -hiE '(^|[^/])\bdocs/|copy it|install -m' "$1"/etc/{trafficmonitor,logrotate.d,default}/trafficmonitor* \
        "$1/lib/systemd/system/trafficmonitor.service") && die "a file of the package tells how to install it, or has a wrong path: $said"
    say "documents and examples: nothing is missing"
}

# As the unit says: its variables, its command, its capabilities; as the user of the package.
run_as_service() {
    local unit=$1/lib/systemd/system/trafficmonitor.service capabilities user command
    command=$(sed -n 's/^ExecStart=//p' "$unit")
    capabilities=$(sed -n 's/^AmbientCapabilities=CAP_//p' "$unit" | tr 'A-Z' 'a-z')
    [ "$capabilities" = net_raw ] || die "the unit has the capabilities $capabilities"
    user=$(in_root "$1" id --user trafficmonitor):$(in_root "$1" id --group trafficmonitor)
    sed -n 's/^Environment=//p' "$unit" >"$work/environment"
    grep '^[A-Z_]*=' "$1/etc/default/trafficmonitor" >>"$work/environment"
    echo TRAFFICMONITOR_IFACE=lo >>"$work/environment"
    # The file is read: it names another port.
    sed -i 's|"127.0.0.1:8888"|"127.0.0.1:9899"|' "$1/etc/trafficmonitor/trafficmonitor.yml"
    # shellcheck disable=SC2046,SC2086
    counts "$1" 9899 env $(cat "$work/environment") chroot "$1" setpriv --reuid "${user%:*}" --regid "${user#*:}" \
        --clear-groups --no-new-privs --inh-caps "-all,+$capabilities" --ambient-caps "-all,+$capabilities" \
        --bounding-set "-all,+$capabilities" $command
    say "the service counts as user ${user%:*} with $capabilities alone"
    # shellcheck disable=SC2086
    refuses_without_capability "$1" "$user" $command
}

# refuses_without_capability ROOT USER COMMAND…: it ends by itself and says what it lacks.
refuses_without_capability() {
    local status=0
    unshare --net --mount timeout 20 chroot "$1" setpriv --reuid "${2%:*}" --regid "${2#*:}" --clear-groups --inh-caps -all \
        --bounding-set -all "${@:3}" -iface lo -promHTTP 127.0.0.1:9899 >"$work/denied.log" 2>&1 || status=$?
    { [ "$status" = 1 ] && grep -qi cap_net_raw "$work/denied.log"; } ||
        die "without a capability it ends with status $status and says: $(tail -n 3 "$work/denied.log")"
}

# What an administrator has changed stays when the package is installed again.
check_conffiles() {
    in_root "$1" dpkg --install /trafficmonitor.deb >"$work/again.log" 2>&1 || die "it cannot be installed again"
    grep -q '"127.0.0.1:9899"' "$1/etc/trafficmonitor/trafficmonitor.yml" || die "a changed configuration was overwritten"
}

# Removing the package keeps what the service has written, purging it does not.
check_purge() {
    local file
    local written=(var/lib/trafficmonitor/evidence/alert.pcap var/log/trafficmonitor/events.jsonl)
    write_service_files "$1" "${written[@]}"
    in_root "$1" dpkg --remove trafficmonitor >"$work/remove.log" 2>&1 || die "it cannot be removed: $(tail -n 3 "$work/remove.log")"
    for file in "${written[@]}"; do
        [ -s "$1/$file" ] || die "removing the package removes /$file"
    done
    in_root "$1" dpkg --purge trafficmonitor >"$work/purge.log" 2>&1 || die "it cannot be purged: $(tail -n 3 "$work/purge.log")"
    for file in etc/trafficmonitor etc/default/trafficmonitor etc/logrotate.d/trafficmonitor \
        var/{lib,log}/trafficmonitor var/{lib,log}/private/trafficmonitor; do
        [ ! -e "$1/$file" ] && [ ! -L "$1/$file" ] || die "purge leaves /$file"
    done
}

# write_service_files ROOT FILE…: the folder of the state is where systemd makes it with DynamicUser=yes, behind a link.
write_service_files() {
    local root=$1 file
    shift
    rm -rf "$root/var/lib/trafficmonitor"
    mkdir -p "$root/var/lib/private/trafficmonitor"
    ln -s private/trafficmonitor "$root/var/lib/trafficmonitor"
    for file in "$@"; do
        mkdir -p "$root/$(dirname "$file")"
        echo written >"$root/$file"
    done
}

# --- the image ---

test_image() {
    local container root user entry bytes
    begin_image
    "${store[@]}" bud --file Dockerfile --isolation chroot --pull-never --volume "$(dirname "$binary"):/given:ro" --tag trafficmonitor . \
        >"$work/image.log" 2>&1 || {
        tail -n 30 "$work/image.log" >&2
        die "the Dockerfile cannot be built"
    }
    user=$("${store[@]}" inspect --type image --format '{{.OCIv1.Config.User}}' trafficmonitor)
    entry=$("${store[@]}" inspect --type image --format '{{range .OCIv1.Config.Entrypoint}}{{.}} {{end}}' trafficmonitor)
    [[ "$user" =~ ^[1-9][0-9]*:[1-9][0-9]*$ ]] || die "the image's user is $user: by number, and not root"
    container=$("${store[@]}" from --pull-never trafficmonitor)
    root=$("${store[@]}" mount "$container")
    bytes=$(find "$root" -type f -printf '%s\n' | awk '{ sum += $1 } END { print sum }')
    local besides=$((bytes - $(stat -c %s "$root/usr/bin/trafficmonitor")))
    say "image: $bytes bytes in $(find "$root" -type f | wc -l) files; besides the program $besides, at most $most_besides_program"
    [ "$besides" -le "$most_besides_program" ] || die "the image is too large"
    [ "$(getcap -n "$root/usr/bin/trafficmonitor" | sed 's/.* //')" = "cap_net_raw=ep" ] || die "the program has no capability"
    # A container's manager makes these.
    mkdir -p "$root/proc" "$root/dev" "$root/sys"
    # shellcheck disable=SC2086
    counts "$root" 8888 chroot --userspec "$user" --groups "" "$root" $entry -iface lo
    "${store[@]}" umount "$container" >/dev/null
    say "the image counts as user ${user%:*} with the capability of its file"
}

# The image that the Dockerfile begins with, by its name there.
begin_image() {
    local name container root
    name=$(awk 'toupper($1) == "FROM" { print $2; exit }' Dockerfile)
    container=$("${store[@]}" from scratch)
    root=$("${store[@]}" mount "$container")
    unpack_base "$root"
    cat >"$root/usr/bin/cargo" <<END
#!/bin/sh
# Stands for cargo, and for the options that the Dockerfile gives it.
[ "\$*" = "build --release --locked --target-dir /target" ] || { echo "cargo: unknown: \$*" >&2; exit 1; }
[ -s Cargo.lock ] && [ -s src/main.rs ] && [ -s web/dist/app.js ] && [ -s ebpf/trafficmonitor.o ] || { echo "cargo: no sources" >&2; exit 1; }
mkdir -p /target/release && cp /given/$(basename "$binary") /target/release/trafficmonitor
END
    chmod 755 "$root/usr/bin/cargo"
    "${store[@]}" umount "$container" >/dev/null
    "${store[@]}" commit --quiet --rm "$container" "$name" >/dev/null
}

for part in "${parts[@]}"; do
    started=$SECONDS
    "test_$part"
    say "$part: passed in $((SECONDS - started)) s"
done
