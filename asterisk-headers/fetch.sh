#!/bin/sh
# Fetches the headers of Asterisk as Debian packages them, for a suite, into
# asterisk-headers/SUITE, and notes the package's version in SUITE/VERSION.
# Nothing is installed and the system's own package sources are not touched.
#
#   asterisk-headers/fetch.sh [SUITE]     sid, forky, experimental, bullseye
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
echo "fetching asterisk-dev from Debian $suite" >&2
apt-get -qq update
version=$(apt-cache show asterisk-dev | sed -n 's/^Version: //p' | head -n 1)
if [ -z "$version" ]; then
	echo "asterisk-headers: Debian $suite has no package asterisk-dev" >&2
	exit 1
fi
(cd "$work/fetched" && apt-get -qq download asterisk-dev)
dpkg-deb -x "$work"/fetched/asterisk-dev_*.deb "$work/root"
echo "$version" > "$work/root/VERSION"
rm -rf "${here:?}/$suite"
mv "$work/root" "$here/$suite"
chmod 755 "$here/$suite"
echo "asterisk-headers/$suite: $version" >&2
