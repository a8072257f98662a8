#!/bin/sh
# Makes the Debian packages asterisk-authenticate-rs and pinset of what was built, with
# debhelper and packaging/debian, and checks them with lintian.
#
#   packaging/deb.sh MODULE PINSET FOLDER
#
# The packages are in FOLDER afterwards, for the Asterisk that MODULE was built for.
#
# Environment: DEBFULLNAME and DEBEMAIL (the maintainer), SOURCE_DATE_EPOCH (the time of
# the files; default: the last commit's), DEB_COMPRESSION (options of dpkg-deb).
set -eu

[ $# = 3 ] || { echo "usage: deb.sh MODULE PINSET FOLDER" >&2; exit 2; }
for file in "$1" "$2"; do
	[ -f "$file" ] || { echo "deb.sh: there is no $file: run 'make build'" >&2; exit 1; }
done
module=$(realpath "$1")
pinset=$(realpath "$2")
folder=$(realpath -m "$3")
here=$(cd "$(dirname "$0")/.." && pwd)
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/Cargo.toml" | head -n 1)
# In a tarball of packaging/dist.sh, each file has that time.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2> /dev/null ||
	stat -c %Y "$here/CHANGELOG.md")}
export SOURCE_DATE_EPOCH
maintainer="${DEBFULLNAME:-Asterisk Authenticate} <${DEBEMAIL:-root@localhost}>"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
mkdir "$work/tree"
cd "$work/tree"
cp -r "$here/packaging" "$here/packaging/debian" "$here/docs" "$here"/*.md .
# Not by sed, to which characters of a name may mean something.
{
	sed '/^Maintainer:/,$d' debian/control
	printf 'Maintainer: %s\n' "$maintainer"
	sed '1,/^Maintainer:/d' debian/control
} > control.new
mv control.new debian/control
for unit in packaging/systemd/*; do
	cp "$unit" "debian/pinset.${unit##*/}"
done
cat > debian/changelog <<- END
	asterisk-authenticate-rs ($version-1) unstable; urgency=medium

	  * Version $version: changelog.gz.

	 -- $maintainer  $(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")
END
# Under the names that the packages give them.
built() { # FILE NAME
	install -D -m 644 "$1" "built/$2"
}
built "$module" app_authenticate_rs.so
built "$pinset" pinset
built packaging/samples/authenticate.conf.sample authenticate.conf
built packaging/fail2ban/asterisk-authenticate.filter.conf asterisk-authenticate.conf
"$pinset" documents built/documents
built built/documents/pinset.bash bash/pinset
mkdir built/module built/command
"$here/packaging/sbom.py" app_authenticate_rs "$module" > built/module/sbom.cdx.json
"$here/packaging/sbom.py" pinset-cli "$pinset" > built/command/sbom.cdx.json
chmod 755 built/pinset

# Nothing is compiled, so build-essential, which dpkg asks for, is not needed.
DEB_BUILD_OPTIONS=noautodbgsym dpkg-buildpackage --build=binary --unsigned-changes --no-check-builddeps \
	> "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
# These four are about uploads to Debian's archive.
lintian --allow-root --fail-on error,warning --suppress-tags \
	bogus-mail-host,bogus-mail-host-in-debian-changelog,root-in-contact,initial-upload-closes-no-bugs \
	"$work"/*.deb >&2
mkdir -p "$folder"
for package in "$work"/*.deb; do
	mv "$package" "$folder/"
	echo "$folder/${package##*/}"
done
