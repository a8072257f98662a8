# shellcheck shell=sh
# shellcheck disable=SC2154 # here and rust_version are deps.sh's
# Probes of packaging/deps.sh: each uses a dependency as the project does, because
# a file or a version number shows only that something of that name exists. Each
# runs in its own empty folder and prints nothing except the reason of a failure.

compiler() {
	echo 'int main(void) { return 0; }' > empty.c
	cc -o empty empty.c && ./empty
}

cxx() {
	printf '#include <string>\nint main() { return std::string().size(); }\n' > empty.cc
	c++ -o empty empty.cc && ./empty
}

# bindgen loads libclang when it runs, and parses headers with it. Another
# library of that family (libclang-cpp) has other functions, and libclang1
# alone lacks the compiler's own headers.
libclang() {
	cat > parse.c <<- 'END'
		#include <dlfcn.h>
		static int parses(void *library)
		{
			static const char *const name = "header.h";
			void *(*index)(int, int) = dlsym(library, "clang_createIndex");
			void *(*parse)(void *, const char *, void *, int, void *, unsigned, unsigned) =
				dlsym(library, "clang_parseTranslationUnit");
			unsigned (*complaints)(void *) = dlsym(library, "clang_getNumDiagnostics");
			void *unit = index && parse && complaints
				? parse(index(0, 0), name, 0, 0, 0, 0, 0) : 0;
			return unit && complaints(unit) == 0;
		}
		int main(int count, char **files)
		{
			while (--count) {
				void *library = dlopen(*++files, RTLD_NOW);
				if (library && parses(library))
					return 0;
			}
			return 1;
		}
	END
	printf '#include <stddef.h>\n#include <stdio.h>\n' > header.h
	cc -o parse parse.c -ldl || return
	prefix=$(llvm-config --prefix 2> /dev/null) || prefix=/usr/local
	./parse ${LIBCLANG_PATH:+"$LIBCLANG_PATH" "$LIBCLANG_PATH"/libclang*.so*} \
		"$prefix"/lib/libclang*.so* /usr/lib/llvm-*/lib/libclang*.so* \
		/usr/lib/*-linux-gnu/libclang*.so* /usr/lib/libclang*.so* /usr/local/lib/libclang*.so* ||
		{ echo "no libclang parses stdio.h"; return 1; }
}

libcurl() {
	cat > curl.c <<- 'END'
		#include <curl/curl.h>
		int main(void) { return curl_global_init(CURL_GLOBAL_ALL); }
	END
	flags=$(pkg-config --cflags --libs libcurl) || return
	# shellcheck disable=SC2086 # a list of options
	cc -o curl curl.c $flags && ./curl
}

# A crate that the cargo and the rustc in PATH build. Cargo itself compares
# rustc's version with the crate's.
crate() {
	mkdir src
	echo 'fn main() {}' > src/main.rs
	cat > Cargo.toml <<- END
		[package]
		name = "probe"
		version = "0.0.0"
		edition = "2021"
		rust-version = "$rust_version"
	END
}

rust() {
	crate && cargo run --quiet --offline
}

rustfmt() {
	crate && cargo fmt --check
}

clippy() {
	crate && cargo clippy --quiet --offline
}

# A process in its own terminal, as in the tests of prompts.
python() {
	python3 -c '
import os, pty, termios
pid, terminal = pty.fork()
if pid == 0:
    os._exit(0)
assert termios.tcgetattr(terminal)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0'
}

# Alembic runs in Debian's Python, too.
alembic() {
	/usr/bin/python3 -c '
import markupsafe
assert markupsafe.escape("<") == "&lt;"'
}

# As the tests load it.
libpq() {
	python3 -c 'import ctypes; ctypes.CDLL("libpq.so.5").PQlibVersion'
}

# Installs a Python package, a file.
pip() {
	python3 -c '
import zipfile
with zipfile.ZipFile("probe-1-py3-none-any.whl", "w") as wheel:
    info = "probe-1.dist-info/"
    wheel.writestr("probe.py", "")
    wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: probe\nVersion: 1\n")
    wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "RECORD", "probe.py,,\n")'
	python3 -m pip install --quiet --root-user-action ignore --no-index --no-deps --target to ./probe-1-py3-none-any.whl &&
		[ -f to/probe.py ]
}

# The engine that the harness takes, the first that answers, with the options
# that the harness gives it (tests/harness/src/container_engine.rs), runs a container.
engine() {
	for engine in ${CONTAINER_ENGINE:-podman docker}; do
		"$engine" info > log 2>&1 && break
	done
	"$engine" info > log 2>&1 || { tail -n 1 log; return 1; }
	mkdir root
	# A program and the libraries it loads.
	libraries=$(ldd /bin/true | grep -o '/[^ ]*')
	# shellcheck disable=SC2086 # a list of files
	cp -L --parents /bin/true $libraries root
	image=localhost/authenticate-probe:$$
	tar -C root -c . | "$engine" import - "$image" > log 2>&1 || { tail -n 1 log; return 1; }
	runs=0
	# shellcheck disable=SC2046 # lists of options
	"$engine" $(runtime_options) run --rm --network=none $(limit_options) "$image" /bin/true || runs=$?
	"$engine" rmi --force "$image" > /dev/null 2>&1 || true
	return "$runs"
}

runtime_options() {
	case ${CONTAINERS_CONF:+set}$engine in
	podman | */podman)
		if [ ! -e /sys/fs/cgroup/cgroup.controllers ] && PATH=$PATH:/usr/sbin command -v runc > /dev/null; then
			echo "--runtime runc"
		fi
		;;
	esac
}

limit_options() {
	case ${CONTAINERS_CONF:+set}$engine in
	podman | */podman)
		awk '/^Max open files/ { limit("nofile", 16384, $5) }
			/^Max processes/ { limit("nproc", 32768, $4) }
			function limit(name, enough, hard) {
				if (hard != "unlimited" && hard < enough) enough = hard
				print "--ulimit " name "=" enough ":" enough
			}' /proc/self/limits
		;;
	esac
}

# A root file system without a package, from an archive without one.
bootstrap() {
	: > Packages
	mmdebstrap --quiet --variant=custom '' root.tar "deb [trusted=yes] copy:$PWD ./" &&
		tar -tf root.tar > /dev/null
}

# podman-compose runs Debian's Python, even if another one is installed.
compose() {
	printf 'services:\n  a: {image: b}\n' > compose.yaml
	echo A=1 > env
	/usr/bin/python3 -c '
import dotenv, yaml
assert yaml.safe_load(open("compose.yaml"))["services"]["a"]["image"] == "b"
assert dotenv.dotenv_values("env") == {"A": "1"}'
}

search() {
	echo 4711 > list
	rg -qxF 4711 list
}

# Debian's gunicorn runs Debian's Python, even if another one is installed.
flask_under_gunicorn() {
	printf 'from flask import Flask\napp = Flask(__name__)\n' > app.py
	gunicorn --check-config --worker-class gthread app:app
}

# Reads a script, and finds nobody to ask.
http_load() {
	echo 'print(jit.version)' > script.lua
	wrk -s script.lua http://127.0.0.1:1 | grep -q ^LuaJIT
}

# A page in Chromium by way of chromedriver, as the tests drive it.
browser() {
	timeout 60 bash "$here/probe-browser"
}

# Installs what a lock file has: a package in a folder.
npm_install() {
	mkdir part
	echo '{"name": "part", "version": "1.0.0"}' > part/package.json
	echo '{"name": "probe", "version": "1.0.0", "dependencies": {"part": "file:part"}}' > package.json
	npm install --package-lock-only --offline --cache cache --silent &&
		npm ci --ignore-scripts --offline --cache cache --silent &&
		[ -f node_modules/part/package.json ]
}

elf() {
	readelf --dynamic --wide /bin/true | grep -q NEEDED
}

# A package with a file, made as ours are.
package() {
	mkdir -p tree/debian
	cd tree
	cat > debian/control <<- END
		Source: probe
		Maintainer: Probe <probe@debian.org>
		Build-Depends: debhelper-compat (= 13)
		Rules-Requires-Root: no

		Package: probe
		Architecture: all
		Description: a probe
	END
	printf 'probe (1) unstable; urgency=low\n\n  * .\n\n -- Probe <probe@debian.org>  %s\n' \
		"$(LC_ALL=C date -R)" > debian/changelog
	echo 'debian/control usr/share/probe' > debian/probe.install
	printf '#!/usr/bin/make -f\n%%:\n\tdh $@\n' > debian/rules
	chmod 755 debian/rules
	dpkg-buildpackage --build=binary --unsigned-changes --no-check-builddeps && [ -s ../probe_1_all.deb ]
}

debian_package() {
	package
}

# A package without its copyright is an error.
lint_package() {
	package || return
	lintian --allow-root ../probe_1_all.deb > tags || true
	grep -q '^E: probe: no-copyright-file' tags
}
