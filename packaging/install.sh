#!/bin/sh
# Installs the module, its XML documentation and samples for the Asterisk on
# this machine, and refuses if they do not belong together.
#
#   packaging/install.sh MODULE
#
# Environment: DESTDIR (a folder in place of /, for packages), MODDIR (where
# Asterisk's modules are), DATADIR (Asterisk's astdatadir), ASTERISK (its
# binary).
set -eu

fail() {
	echo "install: $*" >&2
	exit 1
}

module=${1:?usage: install.sh MODULE}
here=$(cd "$(dirname "$0")/.." && pwd)
destdir=${DESTDIR:-}
asterisk=${ASTERISK:-$(command -v asterisk || echo /usr/sbin/asterisk)}

[ -f "$module" ] || fail "there is no $module: run 'make build'"

# What asterisk.conf says of the folder $1.
configured() {
	sed -n "s/^[[:space:]]*$1[[:space:]]*=>*[[:space:]]*//p" /etc/asterisk/asterisk.conf 2> /dev/null |
		sed 's/[[:space:]]*\(;.*\)\{0,1\}$//' | tail -n 1
}

first_folder() {
	for folder in "$@"; do
		if [ -d "$folder" ]; then
			echo "$folder"
			return
		fi
	done
}

moddir=${MODDIR:-$(configured astmoddir)}
moddir=${moddir:-$(first_folder /usr/lib/*/asterisk/modules /usr/lib64/asterisk/modules /usr/lib/asterisk/modules)}
datadir=${DATADIR:-$(configured astdatadir)}
datadir=${datadir:-$(first_folder /usr/share/asterisk /var/lib/asterisk)}
[ -n "$moddir" ] || fail "where are Asterisk's modules? Say so in MODDIR"
[ -n "$datadir" ] || fail "where is Asterisk's astdatadir? Say so in DATADIR"

# "MAJOR:SUM" of the Asterisk the module was built for.
built_for=$(grep -ao 'authrs-built-for:[0-9]*:[0-9a-f]*' "$module" | head -n 1)
built_for=${built_for#authrs-built-for:}
[ -n "$built_for" ] || fail "$module is not this module"

if [ -x "$asterisk" ]; then
	running=$("$asterisk" -V)
	major=$(echo "$running" | sed 's/^Asterisk //; s/^certified[-\/]//; s/^GIT-//; s/[^0-9].*//')
	[ "$major" = "${built_for%%:*}" ] ||
		fail "built for Asterisk ${built_for%%:*}, but $asterisk is $running"
	# Every module of Asterisk's carries the sum of the build options.
	for other in "$moddir"/*.so; do
		case $other in */app_authenticate_rs.so) continue ;; esac
		[ -f "$other" ] || fail "there are no modules of Asterisk's in $moddir: is MODDIR right?"
		grep -aq "${built_for#*:}" "$other" ||
			fail "built with other build options (sum ${built_for#*:}) than $other:" \
				"build with the headers of this Asterisk"
		break
	done
	# Asterisk could not load it.
	missing=$(ldd "$module" 2> /dev/null | awk '/not found/ { printf " %s", $1 }')
	[ -z "$missing" ] ||
		fail "$module needs what is not here (libcurl: apt-get install libcurl4):$missing"
elif [ -z "$destdir" ]; then
	fail "there is no Asterisk at $asterisk (say where in ASTERISK, or give a DESTDIR)"
fi

put() { # FILE FOLDER [NAME]
	mkdir -p "$destdir$2"
	install -m 644 "$1" "$destdir$2/${3:-$(basename "$1")}"
	echo "$destdir$2/${3:-$(basename "$1")}"
}

put "$module" "$moddir" app_authenticate_rs.so
put "$here/documentation/app_authenticate_rs-en_US.xml" "$datadir/documentation/thirdparty"
for sample in "$here"/packaging/samples/*.sample; do
	put "$sample" /usr/share/doc/app-authenticate-rs
done
