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
[ -z "${DEBFULLNAME:-}" ] || maintainer="$DEBFULLNAME <$DEBEMAIL>"
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
cp -r README.md NOTICE CHANGELOG.md alerts.rules.yml grafana examples "$stage/"
rm -rf "$stage"/examples/{test-traffic.rs,cases.pcap,trafficmonitor.service,trafficmonitor.yml,logrotate.conf}
scripts/dependencies.py licences "$target" >"$stage/THIRD-PARTY.txt"

# The unit, the configuration and the rotation are the examples; a package has its program in /usr/bin, and its
# configuration says what the unit says where there is none: serve this host only.
sed 's|/usr/local/bin/trafficmonitor|/usr/bin/trafficmonitor|' examples/trafficmonitor.service \
    >"$stage/debian/trafficmonitor.service"
sed 's|^  listen: .*|  listen: ["127.0.0.1:8888"]|' examples/trafficmonitor.yml >"$stage/trafficmonitor.yml"
sed -i 's|\.\./alerts.rules.yml|/usr/share/trafficmonitor/alerts.rules.yml|' "$stage/examples/prometheus.yml"
cp examples/logrotate.conf "$stage/debian/trafficmonitor.logrotate"
grep -q '^ExecStart=/usr/bin/trafficmonitor' "$stage/debian/trafficmonitor.service"
grep -q '^  listen: \["127.0.0.1:8888"\]' "$stage/trafficmonitor.yml"

rm -f "$CARGO_TARGET_DIR"/package/*.deb "$dist"/*.deb
(cd "$stage" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$stage.log" 2>&1) || {
    tail -n 40 "$stage.log" >&2
    exit 1
}
cp "$CARGO_TARGET_DIR"/package/*.deb "$dist/"
sums
