#!/bin/sh
# Checks that the current commit is a release, and makes all its files: the source tarball,
# Debian packages for the Asterisk of ASTERISK_INCLUDE_DIR, software bills of materials and
# checksums. The programs are built twice, in two folders, and must be the same. The tests
# are not run: .ci/run does that.
#
#   packaging/release.sh FOLDER
#
# Environment: PYTHONPATH (where cyclonedx-python-lib is), and that of reproducible.sh and
# deb.sh.
set -eu

fail() {
	echo "release.sh: $*" >&2
	exit 1
}

[ $# = 1 ] || { echo "usage: release.sh FOLDER" >&2; exit 2; }
folder=$(realpath -m "$1")
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
tag=v$version

changed=$(git status --porcelain)
[ -z "$changed" ] || fail "commit these changes first:
$changed"
newest=$(sed -n 's/^## \[/[/p' CHANGELOG.md | head -n 1)
echo "$newest" | grep -qxE '\[[0-9.]+\] - [0-9]{4}-[0-9]{2}-[0-9]{2}' ||
	fail "CHANGELOG.md: the newest section is '$newest', expected '[$version] - YYYY-MM-DD'"
[ "${newest%% *}" = "[$version]" ] ||
	fail "CHANGELOG.md: the newest section is '$newest', but Cargo.toml has version $version"
if tagged=$(git rev-parse --quiet --verify "$tag^{commit}"); then
	[ "$tagged" = "$(git rev-parse HEAD)" ] ||
		fail "tag $tag is commit $(git rev-parse --short "$tagged"), not the current one: raise the version"
fi

rm -rf "$folder"
packaging/reproducible.sh "$folder"
module=$folder/built/libapp_authenticate_rs.so
pinset=$folder/built/pinset
packaging/deb.sh "$module" "$pinset" "$folder"
packaging/sbom.py app_authenticate_rs "$module" > "$folder/app_authenticate_rs-$version.cdx.json"
packaging/sbom.py pinset-cli "$pinset" > "$folder/pinset-$version.cdx.json"
packaging/validate-sbom.py "$folder"/*.cdx.json
(cd "$folder" && find . -type f ! -name SHA256SUMS -printf '%P\n' | sort | xargs sha256sum > SHA256SUMS)
cat "$folder/SHA256SUMS"
[ -n "${tagged:-}" ] || echo "Next: .ci/run, then git tag $tag"
