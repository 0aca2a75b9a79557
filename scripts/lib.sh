# shellcheck shell=sh disable=SC2034
# What the scripts beside this file share; they read it with "." from the
# repository's root.

# The programs built here need no version stamp, and git refuses to give one where
# the repository belongs to another user, as it may in a container.
GOFLAGS="$(go env GOFLAGS 2>/dev/null || :) -buildvcs=false"
export GOFLAGS

# say prints a message that is not the result itself.
say() { printf '%s\n' "$*" >&2; }

# find_c runs scripts/setup and turns cgo off if there is no C compiler or no
# liburing; $without_c then says why, and is empty otherwise. It does not return
# if there is no usable Go.
find_c() {
	without_c=
	if [ "$(go env CGO_ENABLED 2>/dev/null)" = 0 ] && [ "${CGO_ENABLED-}" = 0 ]; then
		scripts/setup --go-only || exit 1
		without_c="CGO_ENABLED is 0"
		return
	fi
	scripts/setup && rc=0 || rc=$?
	case $rc in
	0) export CGO_ENABLED=1 ;;
	3)
		export CGO_ENABLED=0
		without_c="no C compiler or no liburing (see above)"
		;;
	*) exit 1 ;;
	esac
}

# temporary makes a directory, $tmp, that goes away with the script, however it
# ends.
temporary() {
	tmp=$(mktemp -d "${TMPDIR:-/tmp}/uring-$1.XXXXXX")
	trap 'rm -rf "$tmp"' EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# step NAME COMMAND... runs a command, or a function, and notes for the table how
# it ended and how long it took. Exit status 77 means that it was left out; then
# $tmp/reason says why, and with $required set to "yes" and CI=true it counts as a
# failure.
failed=0
required=
step() {
	name=$1
	shift
	printf '\n== %s\n' "$name"
	rm -f "$tmp/reason"
	start=$(date +%s)
	(
		set -e
		"$@"
	)
	rc=$?
	note=
	case $rc in
	0) result=ok ;;
	77)
		result="left out"
		note=$(cat "$tmp/reason")
		printf 'left out: %s\n' "$note"
		if [ "$required" = yes ] && [ "${CI-}" = true ]; then
			result=FAILED
			note="left out, and must not be with CI=true: $note"
			failed=$((failed + 1))
		fi
		;;
	*)
		result=FAILED
		note="exit status $rc"
		failed=$((failed + 1))
		printf 'FAILED: %s, exit status %d\n' "$name" $rc
		;;
	esac
	printf '%-42s %-8s %5d  %s\n' "$name" "$result" $(($(date +%s) - start)) "$note" >>"$tmp/table"
}

# leave_out ends a step that cannot be done here.
leave_out() {
	printf '%s\n' "$*" >"$tmp/reason"
	exit 77
}

# table prints what the steps came to and returns whether all is well.
table() {
	printf '\n%-42s %-8s %5s\n' step result s
	cat "$tmp/table"
	if [ $failed -gt 0 ]; then
		printf '\n%d of %d steps FAILED\n' $failed "$(wc -l <"$tmp/table")"
		return 1
	fi
	printf '\nno step failed\n'
}

# debian_package CACHE SUITE PACKAGE prints the directory in which the newest
# PACKAGE of a Debian suite is unpacked, below CACHE, after downloading it unless
# it is there. The machine's mirror, proxy and keys are used; its sources, package
# lists and cache are not touched, and nothing is installed. $debian_mirror, if
# set, names another mirror.
debian_package() (
	set -e
	cache=$1 suite=$2 package=$3
	for tool in apt-get apt-cache dpkg-deb; do
		command -v $tool >/dev/null || {
			say "there is no $tool to fetch Debian's packages with"
			exit 1
		}
	done
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -r $keyring ] || {
		say "$keyring is missing, so Debian's signatures cannot be checked: apt-get install debian-archive-keyring"
		exit 1
	}
	# The repository of the machine's first package index that has Debian's own
	# suites: security updates and other vendors have no such suites.
	# shellcheck disable=SC2016 # these are apt's
	mirror=${debian_mirror:-$(apt-get indextargets --format '$(REPO_URI) $(CREATED_BY) $(RELEASE)' |
		awk '$2 == "Packages" && $1 ~ /\/debian\/?$/ && $3 !~ /security/ { print $1; exit }')}
	[ -n "$mirror" ] || {
		say "this machine's apt names no mirror of Debian; name one"
		exit 1
	}

	apt=$cache/apt/$suite
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$cache/$package"
	echo "deb [signed-by=$keyring] $mirror $suite main" >"$apt/sources.list"
	: >"$apt/status"
	# Read after the machine's own settings, of which proxies must stay; hooks
	# would work on the machine's cache.
	cat >"$apt/apt.conf" <<-END
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$apt";
		Dir::State::lists "$apt/lists";
		Dir::State::status "$apt/status";
		Dir::Cache "$apt/cache";
		APT::Sandbox::User "root";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		#clear DPkg::Pre-Invoke;
		#clear DPkg::Post-Invoke;
	END
	# One update in six hours is enough; without network the lists that are
	# there will do.
	if [ -z "$(find "$apt/updated" -mmin -360 2>/dev/null)" ]; then
		if apt-get -qq --config-file="$apt/apt.conf" update >&2; then
			touch "$apt/updated"
		else
			say "cannot read the package lists of $suite at $mirror"
		fi
	fi
	# The version is part of the directory's name, so a newer one is unpacked anew.
	version=$(apt-cache -qq --config-file="$apt/apt.conf" show --no-all-versions "$package" | sed -n 's/^Version: //p' | head -n 1)
	[ -n "$version" ] || {
		say "there is no $package in $suite at $mirror"
		exit 1
	}
	dir=$cache/$package/$version
	if [ ! -d "$dir" ]; then
		work=$(mktemp -d "$cache/$package/unpack.XXXXXX")
		trap 'rm -rf "$work"' EXIT
		cd "$work"
		apt-get -qq --config-file="$apt/apt.conf" download "$package=$version" >&2
		dpkg-deb -x ./*.deb tree
		mv tree "$dir"
	fi
	printf '%s\n' "$dir"
)

# liburing_prefix CACHE SUITE prints a directory with the header and the libraries of
# the liburing of a Debian suite, in include and lib. The version is part of its name:
# the cache of the go command knows a header's directory and not what is in it.
liburing_prefix() (
	set -e
	cache=$1
	dev=$(debian_package "$cache" "$2" liburing-dev)
	lib=$(debian_package "$cache" "$2" liburing2)
	prefix=$cache/prefix/${dev##*/}
	if [ "${dev##*/}" != "${lib##*/}" ]; then
		say "$2 has liburing-dev ${dev##*/} and liburing2 ${lib##*/}: its packages do not fit together at the moment"
		exit 1
	fi
	if [ ! -d "$prefix" ]; then
		mkdir -p "$cache/prefix"
		work=$(mktemp -d "$cache/prefix/work.XXXXXX")
		mkdir "$work/lib"
		cp -R "$dev/usr/include" "$work/"
		cp -P "$dev"/usr/lib/*/liburing.a "$dev"/usr/lib/*/liburing.so "$lib"/usr/lib/*/liburing.so.2* "$work/lib/"
		header_shim "$work/include"
		mv "$work" "$prefix"
	fi
	printf '%s\n' "$prefix"
)

# header_shim DIR stands in for a header that liburing includes from 2.12 on and that
# is not in the headers of Linux before 6.15. One number is wanted of it, that of the
# command to discard blocks.
header_shim() {
	if echo '#include <linux/blkdev.h>' | $(go env CC) -E -x c - >/dev/null 2>&1; then
		return
	fi
	mkdir -p "$1/linux"
	cat >"$1/linux/blkdev.h" <<-END
		#ifndef _LINUX_BLKDEV_H
		#define _LINUX_BLKDEV_H
		#include <linux/ioctl.h>
		#define BLOCK_URING_CMD_DISCARD _IO(0x12, 0)
		#endif
	END
}
