#!/bin/sh
# Installs what the given jobs need and this machine lacks, as Debian 12
# packages; run as root. Does nothing where all of it is there.
#
#   packaging/deps.sh build    a C compiler, libclang, libcurl, Rust
#   packaging/deps.sh unit     Python, which plays a terminal
#   packaging/deps.sh run      a container engine, mmdebstrap
#   packaging/deps.sh lint     rustfmt, clippy
#   packaging/deps.sh fuzz     a C++ compiler, for libFuzzer
#   packaging/deps.sh bench    what reading lists and serving is compared with
#   packaging/deps.sh browser  Chromium, and what drives it
set -eu

missing=

need() { # PACKAGE COMMAND...: the package, unless the command succeeds
	package=$1
	shift
	if ! "$@" > /dev/null 2>&1; then
		missing="$missing $package"
	fi
}

# Rust 1.85 or later; Debian 12 has it under the names of its web browsers'
# toolchain.
recent_rust() {
	cargo --version | awk '{ split($2, v, "."); recent = v[1] > 1 || v[2] >= 85 } END { exit !recent }'
}

# bindgen loads libclang when it runs: what is tried is that, on the files it
# would find. Another library of that family (libclang-cpp) is not it.
libclang() (
	probe=$(mktemp -d) || return
	trap 'rm -rf "$probe"' EXIT
	cat > "$probe/load.c" <<- 'END'
		#include <dlfcn.h>
		int main(int count, char **files)
		{
			while (--count) {
				void *library = dlopen(*++files, RTLD_NOW);
				if (library && dlsym(library, "clang_createIndex"))
					return 0;
			}
			return 1;
		}
	END
	cc -o "$probe/load" "$probe/load.c" -ldl || return
	prefix=$(llvm-config --prefix 2> /dev/null) || prefix=/usr/local
	"$probe/load" ${LIBCLANG_PATH:+"$LIBCLANG_PATH" "$LIBCLANG_PATH"/libclang*.so*} \
		"$prefix"/lib/libclang*.so* /usr/lib/llvm-*/lib/libclang*.so* \
		/usr/lib/*-linux-gnu/libclang*.so* /usr/lib/libclang*.so* /usr/local/lib/libclang*.so*
)

engine() {
	podman info || docker info
}

# Debian's gunicorn runs Debian's Python, whatever else there is.
flask_under_gunicorn() {
	gunicorn --version && /usr/bin/python3 -c 'import flask'
}

for job in "$@"; do
	case $job in
	build)
		need "gcc libc6-dev" cc --version
		need libclang-dev libclang
		need pkg-config pkg-config --version
		need libcurl4-openssl-dev pkg-config --exists libcurl
		need "cargo-web rustc-web" recent_rust
		;;
	unit)
		need python3 python3 --version
		;;
	run)
		if ! engine > /dev/null 2>&1; then
			missing="$missing podman runc"
		fi
		need mmdebstrap mmdebstrap --version
		;;
	lint)
		need rustfmt-web cargo fmt --version
		need rust-web-clippy cargo clippy --version
		;;
	fuzz)
		need g++ c++ --version
		;;
	bench)
		need ripgrep rg --version
		need "gunicorn python3-flask" flask_under_gunicorn
		;;
	browser)
		need chromium chromium --version
		need chromium-driver chromedriver --version
		;;
	*)
		echo "deps.sh: what is '$job'? build, unit, run, lint, fuzz, bench or browser" >&2
		exit 2
		;;
	esac
done

[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
	echo "these packages are missing, and only root on Debian can have them installed here:$missing" >&2
	exit 1
fi
echo "installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# shellcheck disable=SC2086 # a list of packages
apt-get -qq install -y --no-install-recommends $missing > /dev/null
