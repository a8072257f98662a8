#!/bin/sh
# Installs the missing dependencies of the given jobs as Debian packages; run as
# root. Probes (packaging/probes.sh), which use each dependency, determine what is
# missing, before and after.
#
#   packaging/deps.sh build    a C compiler, libclang, libcurl, Rust
#   packaging/deps.sh unit     Python, for tests in a terminal
#   packaging/deps.sh run      a container engine, mmdebstrap, pip, the libraries of
#                              podman-compose and Alembic, libpq
#   packaging/deps.sh lint     rustfmt, clippy, Python and pip
#   packaging/deps.sh fuzz     a C++ compiler, for libFuzzer
#   packaging/deps.sh bench    the programs that benchmarks compare with
#   packaging/deps.sh browser  Chromium and chromedriver, npm
#   packaging/deps.sh deb      debhelper, lintian, Python
#
# Environment: AUTHENTICATE_PROBED names a folder where jobs whose probes have succeeded are
# noted and not probed again. tests/parts makes one for each of its runs.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
rust_version=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' "$here/../Cargo.toml" | head -n 1)
# shellcheck source=packaging/probes.sh
. "$here/probes.sh"

probes() { # JOB: the names of its probes
	case $1 in
	build) echo "compiler libclang libcurl rust" ;;
	unit) echo "python" ;;
	run) echo "engine bootstrap pip compose alembic libpq" ;;
	lint) echo "rust rustfmt clippy python pip" ;;
	fuzz) echo "rust cxx" ;;
	bench) echo "search flask_under_gunicorn http_load" ;;
	browser) echo "browser npm_install" ;;
	deb) echo "python elf debian_package lint_package" ;;
	*)
		echo "deps.sh: unknown job '$1': expected build, unit, run, lint, fuzz, bench, browser or deb" >&2
		return 2
		;;
	esac
}

packages() { # PROBE: Debian's packages that make it succeed
	case $1 in
	compiler) echo "gcc libc6-dev" ;;
	libclang) echo "gcc libc6-dev libclang-dev" ;;
	libcurl) echo "gcc libc6-dev pkg-config libcurl4-openssl-dev" ;;
	rust) toolchain "cargo rustc" "cargo-web rustc-web" ;;
	rustfmt) toolchain rustfmt rustfmt-web ;;
	clippy) toolchain rust-clippy rust-web-clippy ;;
	python) echo "python3" ;;
	pip) echo "python3-pip" ;;
	engine) echo "podman runc" ;;
	bootstrap) echo "mmdebstrap" ;;
	compose) echo "python3-yaml python3-dotenv" ;;
	alembic) echo "python3-markupsafe" ;;
	libpq) echo "python3 libpq5" ;;
	cxx) echo "g++" ;;
	search) echo "ripgrep" ;;
	flask_under_gunicorn) echo "gunicorn python3-flask" ;;
	http_load) echo "wrk" ;;
	browser) echo "chromium chromium-driver" ;;
	npm_install) echo "npm" ;;
	elf) echo "binutils" ;;
	debian_package) echo "gcc libc6-dev debhelper dpkg-dev" ;;
	lint_package) echo "debhelper dpkg-dev lintian" ;;
	esac
}

# Debian's Rust if it is recent enough, else the newer one that some suites
# have for their web browsers; nothing if neither is.
toolchain() { # PACKAGES PACKAGES-WEB
	if offers rustc; then
		echo "$1"
	elif offers rustc-web; then
		echo "$2"
	fi
}

offers() { # PACKAGE: whether apt has it in the version that the project needs
	version=$(apt-cache policy "$1" 2> /dev/null | sed -n 's/^  Candidate: //p')
	dpkg --compare-versions "${version:-0}" ge "$rust_version"
}

purpose() { # PROBE: what a person has to see to if packages don't help
	case $1 in
	compiler) echo "a C compiler (cc)" ;;
	libclang) echo "libclang, which bindgen loads (LIBCLANG_PATH names its folder)" ;;
	libcurl) echo "pkg-config and libcurl's headers" ;;
	rust) echo "Rust $rust_version or later, from the distribution or https://rustup.rs" ;;
	rustfmt) echo "rustfmt of the Rust in PATH (rustup component add rustfmt)" ;;
	clippy) echo "clippy of the Rust in PATH (rustup component add clippy)" ;;
	python) echo "Python 3 (python3)" ;;
	pip) echo "pip of Python 3 (python3 -m pip)" ;;
	engine) echo "podman or docker that runs a container (CONTAINER_ENGINE names one)" ;;
	bootstrap) echo "mmdebstrap" ;;
	compose) echo "PyYAML and python-dotenv of Debian's Python" ;;
	cxx) echo "a C++ compiler (c++)" ;;
	search) echo "ripgrep (rg)" ;;
	flask_under_gunicorn) echo "gunicorn and Flask of Debian's Python" ;;
	http_load) echo "wrk" ;;
	browser) echo "Chromium and chromedriver of the same version" ;;
	npm_install) echo "npm" ;;
	elf) echo "readelf (binutils)" ;;
	debian_package) echo "debhelper 13 and dpkg-buildpackage (dpkg-dev)" ;;
	lint_package) echo "lintian" ;;
	esac
}

# Runs a probe in its own folder. Returns whether it succeeded; its output is in
# $work/PROBE.log.
works() { # PROBE
	rm -rf "${work:?}/$1"
	mkdir "$work/$1"
	(
		cd "$work/$1"
		unset CARGO_TARGET_DIR CARGO_BUILD_TARGET RUSTFLAGS
		"$1"
	) > "$work/$1.log" 2>&1 < /dev/null
}

failing() { # PROBE...: those that fail, each once
	for probe in "$@"; do
		case " $found " in *" $probe "*) continue ;; esac
		works "$probe" || found="$found $probe"
	done
}

probed=${AUTHENTICATE_PROBED:+$AUTHENTICATE_PROBED/$(echo "$*" | tr ' ' -)}
[ -z "$probed" ] || [ ! -e "$probed" ] || exit 0
note() {
	[ -z "$probed" ] || : > "$probed"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

wanted=
for job in "$@"; do
	names=$(probes "$job")
	wanted="$wanted $names"
done
found=
# shellcheck disable=SC2086 # a list of probes
failing $wanted
missing=$found
[ -n "$missing" ] || { note; exit 0; }

if [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	# Not while another run of this does the same.
	exec 9< /var/lib/dpkg
	flock 9
	apt-get -qq update 9<&-
	install=
	for probe in $missing; do
		install="$install $(packages "$probe")"
	done
	install=$(echo "$install" | xargs -n 1 | sort -u | xargs)
	echo "installing $install" >&2
	# shellcheck disable=SC2086 # a list of packages
	[ -z "$install" ] || apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $install \
		> "$work/apt.log" 2>&1 9<&- ||
		tail -n 5 "$work/apt.log" >&2
	exec 9<&-
	found=
	# shellcheck disable=SC2086
	failing $missing
	missing=$found
else
	echo "deps.sh: only root on Debian can have packages installed here" >&2
fi
for probe in $missing; do
	echo "deps.sh: needed: $(purpose "$probe"): $(grep . "$work/$probe.log" | tail -n 1)" >&2
done
[ -z "$missing" ] && note
