#!/bin/sh
# Fails if a program needs a newer C library than that of a root file system.
#
#   packaging/check-libc.sh ROOT FILE...
set -eu

[ $# -ge 2 ] || { echo "usage: check-libc.sh ROOT FILE..." >&2; exit 2; }
root=$1
shift
for library in "$root"/lib/*/libc.so.6 "$root"/usr/lib/*/libc.so.6; do
	[ ! -e "$library" ] || break
done
has=$(grep -aho 'release version [0-9]*\.[0-9]*' "$library" | grep -o '[0-9.]*$')
for file in "$@"; do
	needs=$(LC_ALL=C readelf --version-info --wide "$file" | grep -o 'GLIBC_[0-9.]*' | cut -d _ -f 2 |
		sort -uV | tail -n 1)
	newest=$(printf '%s\n' "$has" "$needs" | sort -V | tail -n 1)
	[ "$newest" = "$has" ] || {
		echo "check-libc.sh: $file needs version $needs of the C library, $root has $has" >&2
		exit 1
	}
done
