#!/bin/sh
# Makes the source tarball of the current commit, with all crates that it is built of, so
# that it builds without a network. The same commit gives the same file.
#
#   packaging/dist.sh FOLDER
set -eu

[ $# = 1 ] || { echo "usage: dist.sh FOLDER" >&2; exit 2; }
folder=$(realpath -m "$1")
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
name=asterisk-authenticate-rs-$version

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
git archive --prefix="$name/" HEAD | tar -x -C "$work"
mkdir "$work/$name/.cargo"
# The archive has no repository that names the commit: packaging/revision.rs.
commit=$(git rev-parse --short=8 HEAD)
epoch=$(git log -1 --format=%ct)
cd "$work/$name"
{
	cargo vendor --quiet --locked --versioned-dirs vendor
	printf '\n[env]\nAUTHENTICATE_COMMIT = "%s"\n' "$commit"
} > "$work/config.toml"
mv "$work/config.toml" .cargo/
# Libraries of Windows, 150 MB, which cargo reads only on Windows.
find vendor -name '*.a' -delete
cd "$work"
mkdir -p "$folder"
# With -T2 the blocks do not depend on the machine's number of processors.
tar --sort=name --mtime="@$epoch" --owner=0 --group=0 --numeric-owner --mode=u+rw,go=rX --format=gnu \
	-cf - "$name" | xz -T2 -1 > "$work/dist.tar.xz"
mv "$work/dist.tar.xz" "$folder/$name.tar.xz"
echo "$folder/$name.tar.xz"
