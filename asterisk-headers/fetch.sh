#!/bin/sh
# Fetches the headers of Asterisk as Debian packages them, for a suite, into
# asterisk-headers/SUITE, and notes the package's version in SUITE/VERSION.
# If the suite's C library is older than this machine's, the C library and libcurl to
# link with come too: a module that is linked with a newer one does not load there.
# Nothing is installed and the system's own package sources are not touched.
#
#   asterisk-headers/fetch.sh [SUITE]     sid, forky, experimental, bullseye
#
# Environment: DEBIAN_MIRROR (http://archive.debian.org/debian has old suites).
set -eu

suite=${1:-sid}
here=$(cd "$(dirname "$0")" && pwd)
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/fetched"
echo "deb [signed-by=$keyring] $mirror $suite main" > "$work/sources.list"
# A mirror's Release file may be past its date; the signature is checked.
cat > "$work/apt.conf" <<CONF
Dir::State "$work";
Dir::State::lists "$work/lists";
Dir::State::status "/dev/null";
Dir::Cache "$work/cache";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "root";
CONF

export APT_CONFIG="$work/apt.conf"

version_of() { # PACKAGE: its version in the suite, if it has one
	apt-cache show "$1" 2> /dev/null | sed -n 's/^Version: //p' | head -n 1
}

echo "fetching asterisk-dev from Debian $suite" >&2
apt-get -qq update
version=$(version_of asterisk-dev)
if [ -z "$version" ]; then
	echo "asterisk-headers: Debian $suite has no package asterisk-dev" >&2
	exit 1
fi
packages=asterisk-dev
libc=$(version_of libc6)
# "glibc 2.36", as getconf prints it.
here_libc=$(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)
if [ -n "$libc" ] && dpkg --compare-versions "${libc%%-*}" lt "$here_libc"; then
	packages="$packages libc6 libc6-dev linux-libc-dev libgcc-s1 libcurl4 libcurl4-openssl-dev"
fi
# shellcheck disable=SC2086 # a list of packages
(cd "$work/fetched" && apt-get -qq download $packages)
for package in "$work"/fetched/*.deb; do
	dpkg-deb -x "$package" "$work/root"
done
# Links to absolute paths would lead out of the folder.
find "$work/root" -type l -lname '/*' | while read -r link; do
	ln -sfr "$work/root$(readlink "$link")" "$link"
done
echo "$version" > "$work/root/VERSION"
rm -rf "${here:?}/$suite"
mv "$work/root" "$here/$suite"
chmod 755 "$here/$suite"
echo "asterisk-headers/$suite: $version" >&2
