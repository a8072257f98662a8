#!/bin/sh
# Installs the module, pinset, and their documents and units for the Asterisk on
# this machine, or removes them. It refuses a module that was built for another
# Asterisk.
#
#   packaging/install.sh install MODULE PINSET
#   packaging/install.sh uninstall
#
# Environment: DESTDIR (a folder in place of /, for packages), MODDIR (where
# Asterisk's modules are), DATADIR (Asterisk's astdatadir), ASTERISK (its
# binary), BINDIR (for pinset), UNITDIR (for systemd's units).
set -eu

fail() {
	echo "install: $*" >&2
	exit 1
}

action=${1:-}
case $action/$# in
install/3)
	module=$2
	pinset=$3
	;;
uninstall/1) ;;
*) fail "usage: install.sh install MODULE PINSET, or install.sh uninstall" ;;
esac
here=$(cd "$(dirname "$0")/.." && pwd)
destdir=${DESTDIR:-}
asterisk=${ASTERISK:-$(command -v asterisk || echo /usr/sbin/asterisk)}
bindir=${BINDIR:-/usr/bin}
unitdir=${UNITDIR:-/usr/lib/systemd/system}
docdir=/usr/share/doc/app-authenticate-rs

# Prints the folder $1 from asterisk.conf.
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

xml=$datadir/documentation/thirdparty/app_authenticate_rs-en_US.xml

if [ "$action" = uninstall ]; then
	for path in "$moddir/app_authenticate_rs.so" "$xml" "$bindir/pinset" \
		"$unitdir/pinset-serve.service" "$unitdir/pinset-serve.socket" \
		"$unitdir/pinset-console.service" "$docdir"; do
		[ -e "$destdir$path" ] || continue
		rm -r "$destdir$path"
		echo "removed $destdir$path"
	done
	[ -n "$destdir" ] || cat <<- END

		Next, unless 'pinset asterisk disable' was run before:
		1. In /etc/asterisk/modules.conf remove the lines of app_authenticate_rs.so and
		   'noload = app_authenticate.so'.
		2. Restart Asterisk, or, at a quiet moment and in this order:
		       asterisk -rx 'xmldoc reload'
		       asterisk -rx 'module unload app_authenticate_rs.so'
		       asterisk -rx 'module load app_authenticate.so'
		/etc/asterisk/authenticate.conf, PIN files, logs and Asterisk's database stay.
	END
	exit 0
fi

for file in "$module" "$pinset"; do
	[ -f "$file" ] || fail "there is no $file: run 'make build'"
done

# "MAJOR:SUM" of the Asterisk the module was built for.
built_for=$(grep -ao 'authrs-built-for:[0-9]*:[0-9a-f]\{32\}' "$module" | head -n 1)
built_for=${built_for#authrs-built-for:}
[ -n "$built_for" ] || fail "$module is not this module"

if [ -x "$asterisk" ]; then
	running=$("$asterisk" -V)
	major=$(echo "$running" | sed 's/^Asterisk //; s/^certified[-\/]//; s/^GIT-//; s/[^0-9].*//')
	[ -n "$major" ] ||
		fail "$asterisk is $running, which has no number to compare with Asterisk ${built_for%%:*}:" \
			"use a release or a release branch"
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

# Replaces a file atomically: a running module keeps its old file.
put() { # MODE FILE PATH
	mkdir -p "$destdir${3%/*}"
	install -m "$1" "$2" "$destdir$3.new"
	mv -f "$destdir$3.new" "$destdir$3"
	echo "$destdir$3"
}

put 644 "$module" "$moddir/app_authenticate_rs.so"
put 644 "$here/packaging/documentation/app_authenticate_rs-en_US.xml" "$xml"
put 755 "$pinset" "$bindir/pinset"
unit=$(mktemp)
trap 'rm -f "$unit"' EXIT
for file in "$here"/packaging/systemd/pinset-*; do
	sed "s:/usr/bin/pinset:$bindir/pinset:" "$file" > "$unit"
	put 644 "$unit" "$unitdir/${file##*/}"
done
for file in "$here"/packaging/samples/*.sample "$here/README.md" "$here/CHANGELOG.md" "$here/SECURITY.md"; do
	put 644 "$file" "$docdir/${file##*/}"
done
for file in "$here"/docs/*.md; do
	put 644 "$file" "$docdir/docs/${file##*/}"
done
for file in "$here"/docs/screenshots/*; do
	put 644 "$file" "$docdir/docs/screenshots/${file##*/}"
done
for file in "$here"/packaging/fail2ban/*.conf; do
	put 644 "$file" "$docdir/fail2ban/${file##*/}"
done
for file in "$here"/packaging/grafana/*; do
	put 644 "$file" "$docdir/grafana/${file##*/}"
done

[ -n "$destdir" ] || cat <<- END

	Next:
	1. $bindir/pinset asterisk enable
	   changes modules.conf, waits until no call is in Authenticate, and replaces
	   the stock module. Back, before 'make uninstall': pinset asterisk disable
	2. $bindir/pinset doctor
	   checks the installation.
	If an older version of this module runs: asterisk -rx 'module refresh app_authenticate_rs.so'

	With autoload=yes a restart of Asterisk activates this module even without step 1.
	To prevent that: pinset asterisk disable
	First steps: $docdir/docs/getting-started.md
END
