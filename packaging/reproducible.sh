#!/bin/sh
# Builds the source tarball of the current commit in two folders, without a network, and
# compares the files. Leaves those of the first build in FOLDER/built.
#
#   packaging/reproducible.sh FOLDER
#
# Environment: ASTERISK_INCLUDE_DIR (the headers), CARGO_PROFILE_RELEASE_… (another profile).
set -eu

[ $# = 1 ] || { echo "usage: reproducible.sh FOLDER" >&2; exit 2; }
folder=$(realpath -m "$1")
cd "$(dirname "$0")/.."
tarball=$(packaging/dist.sh "$folder")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
# Paths of another length, too.
for place in "$work/first" "$work/other/place"; do
	mkdir -p "$place"
	tar -xf "$tarball" -C "$place" --strip-components 1
	# Nothing but the loopback device, which is down.
	env -u CARGO_TARGET_DIR -u MAKEFLAGS -u SUITE unshare --net make -C "$place" build > "$work/log" 2>&1 ||
		{ cat "$work/log" >&2; exit 1; }
	(cd "$place/target/release" && sha256sum libapp_authenticate_rs.so pinset) > "$place.sums"
done
cmp "$work/first.sums" "$work/other/place.sums" ||
	{ echo "reproducible.sh: the same source gave other files in another folder" >&2; exit 1; }
for file in libapp_authenticate_rs.so pinset; do
	install -D "$work/first/target/release/$file" "$folder/built/$file"
	for path in "$work" "$PWD/asterisk-headers" "$HOME"; do
		! grep -aqF "$path/" "$folder/built/$file" ||
			{ echo "reproducible.sh: $file contains the path $path/" >&2; exit 1; }
	done
done
cat "$work/first.sums"
