#!/usr/bin/env bash
# Builds the Debian package of a binary into dist/, with debhelper; packaging/debian/ describes the package.
#
#   scripts/deb.sh BINARY
#
# environment: DIST, SOURCE_DATE_EPOCH; DEBFULLNAME and DEBEMAIL name the maintainer of a package of your own
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/release-env.sh

binary=$(realpath "$1")
maintainer=$(sed -n 's/^Maintainer: //p' packaging/debian/control)
[ -z "${DEBFULLNAME:-}" ] || maintainer="$DEBFULLNAME <${DEBEMAIL:?deb: DEBFULLNAME needs DEBEMAIL}>"
# Below any revision of a distribution's own package.
revision=0upstream1
stage=$CARGO_TARGET_DIR/package/trafficmonitor-$version
target=$(rustc --version --verbose | sed -n 's/^host: //p')

rm -rf "$stage"
mkdir -p "$stage" "$dist"
cp -r packaging/debian "$stage/"
sed -i "s|^Maintainer: .*|Maintainer: $maintainer|" "$stage/debian/control"
cat >"$stage/debian/changelog" <<END
trafficmonitor ($version-$revision) unstable; urgency=medium

  * Version $version of trafficmonitor; changelog.gz says what is new.

 -- $maintainer  $(date --utc --date="@$SOURCE_DATE_EPOCH" -R)
END

install -m 755 "$binary" "$stage/trafficmonitor"
printed "$stage" "$binary"
cp -r NOTICE CHANGELOG.md alerts.rules.yml grafana examples "$stage/"
# The unit and the rotation are installed; the others need the sources.
rm -rf "$stage"/examples/{trafficmonitor.service,logrotate.conf,test-traffic.rs,compose.yml}
scripts/documents.py copy "$stage" CHANGELOG.md=changelog.gz LICENSE=copyright
scripts/dependencies.py licences "$target" >"$stage/THIRD-PARTY.txt"

# The unit, the configuration and the rotation are the examples, without the words on how to install them. The program is
# in /usr/bin, and its user is the static one of the package: with DynamicUser= systemd would keep the event log in a
# folder that only root can enter. The configuration serves this host only, as the unit does.
documents=/usr/share/doc/trafficmonitor/docs
name_documents() { sed -i "s|\bdocs/\([a-z-]*\.md\)|$documents/\1|g" "$@"; }
sed -e '/^#   install /,/^#$/d' -e 's|`trafficmonitor man` lists|trafficmonitor(8) lists|' \
    -e "s|^Description=.*|&\nDocumentation=man:trafficmonitor(8) file:docs/operating.md|" \
    -e 's|^DynamicUser=yes|User=trafficmonitor\nRemoveIPC=yes|' \
    -e 's|/usr/local/bin/trafficmonitor|/usr/bin/trafficmonitor|' examples/trafficmonitor.service \
    >"$stage/debian/trafficmonitor.service"
sed 's|^  listen: .*|  listen: ["127.0.0.1:8888"]|' examples/trafficmonitor.yml >"$stage/trafficmonitor.yml"
name_documents "$stage/debian/trafficmonitor.service" "$stage/trafficmonitor.yml"
sed 's| Copy it to /etc/logrotate.d/trafficmonitor\.$||' examples/logrotate.conf >"$stage/debian/trafficmonitor.logrotate"
sed -i -e 's|, from the folder above; copy alerts.rules.yml to .*|.|' \
    -e 's|\.\./alerts.rules.yml|/usr/share/trafficmonitor/alerts.rules.yml|' "$stage"/examples/prometheus{,-fleet}.yml
for line in ExecStart=/usr/bin/trafficmonitor User=trafficmonitor RemoveIPC=yes; do
    grep -qx "$line" "$stage/debian/trafficmonitor.service"
done
grep -q '^  listen: \["127.0.0.1:8888"\]' "$stage/trafficmonitor.yml"

rm -f "$CARGO_TARGET_DIR"/package/*.deb "$dist"/*.deb
(cd "$stage" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$stage.log" 2>&1) || {
    tail -n 40 "$stage.log" >&2
    exit 1
}
cp "$CARGO_TARGET_DIR"/package/*.deb "$dist/"
sums
