# setup.bash: what every bats file of this tree begins with.
#
#	load ../../lib/setup
#	setup_file()    { test_begin; }
#	teardown_file() { test_end; }
#	teardown()      { remove_containers; assert_nothing_left; }
#
# A file gets $TEST_DIR, a fresh folder whose random name is the mark of all
# that belongs to it: a process whose environment, command line, executable or private
# mounts mention it is ours, and so is a mount below it. Nothing else on the
# machine is ever killed or unmounted, so files can run beside each other.
#
# cryopod, cryorun and cryo are functions that call the built programs with a
# private --root and --runroot. test_image makes $IMAGE, a busybox.

bats_require_minimum_version 1.5.0
set -u

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BIN=${CRYOPOD_BIN:-$TOP/build/bin}
CRYO=${CRYO:-$BIN/cryo}
CRYORUN=${CRYORUN:-$BIN/cryorun}
CRYOPOD=${CRYOPOD:-$BIN/cryopod}
CACHE=${XDG_CACHE_HOME:-/var/cache}/cryopod-tests
IMAGE=localhost/busybox:latest
export TOP BIN CRYO CRYORUN CRYOPOD CACHE IMAGE
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-120}

# shellcheck source=tests/lib/wait.bash
source "$TOP/tests/lib/wait.bash"
# shellcheck source=tests/lib/leftovers.bash
source "$TOP/tests/lib/leftovers.bash"

# --- the programs -----------------------------------------------------------

# Descriptor 3 is bats' own: a program that goes on in the background must not hold it.
cryopod() {
	local code=0
	"$CRYOPOD" --root "$TEST_DIR/root" --runroot "$TEST_DIR/run" "$@" 3>&- || code=$?
	remember_names
	return $code
}
cryorun() {
	local code=0
	remember_names "$@"
	"$CRYORUN" --root "$TEST_DIR/runtime" "$@" 3>&- || code=$?
	return $code
}
cryo() { "$CRYO" "$@" 3>&-; }

# --- begin and end of a file ------------------------------------------------

test_begin() {
	[ "$(id -u)" = 0 ] || { echo "these tests need root" >&2; return 1; }
	TEST_DIR=$(mktemp -d "${TMPDIR:-/tmp}/cryopod-test.XXXXXXXX")
	export TEST_DIR
	mkdir "$TEST_DIR/root" "$TEST_DIR/run" "$TEST_DIR/runtime"
	leftovers_remember
}

# Removes what is left of the file. Whatever it finds was told by assert_nothing_left before.
test_end() {
	[ -n "${TEST_DIR:-}" ] || return 0
	leftovers_remove
	rm -rf --one-file-system "$TEST_DIR"
}

# The root file system of the tests, as a tar that is made once a machine.
busybox_tar() {
	local tar
	tar=$CACHE/busybox-$(cat "$TOP/tools/busybox-rootfs" /bin/busybox | sha256sum | cut -c1-16).tar
	if [ ! -e "$tar" ]; then
		mkdir -p "$CACHE"
		"$TOP/tools/busybox-rootfs" "$tar.$$" >&2 || return 1
		mv "$tar.$$" "$tar"
	fi
	echo "$tar"
}

# Unpacks the busybox root into a folder.
busybox_root() {
	local tar
	tar=$(busybox_tar) || return 1
	mkdir -p "$1"
	tar -xf "$tar" -C "$1"
}

# Imports $IMAGE into this file's store, unless it is there.
test_image() {
	local tar
	cryopod image exists "$IMAGE" 2>/dev/null && return 0
	tar=$(busybox_tar) || return 1
	cryopod import "$tar" "$IMAGE" >/dev/null
}

# Removes all containers of this file's store, running or not.
remove_containers() {
	[ -e "$TEST_DIR/root" ] || return 0
	cryopod rm -f -t 0 -a >/dev/null 2>&1 || cryopod rm -f -a >/dev/null
}

# --- waiting ----------------------------------------------------------------

# Conditions for wait_for, with those of wait.bash.
log_has() { cryopod logs "$1" | grep -qe "$2"; }
log_lines() { [ "$(cryopod logs "$1" | wc -l)" -ge "$2" ]; }

# --- judging ----------------------------------------------------------------

fail() {
	printf '%s\n' "$@" >&2
	return 1
}

assert_equal() { # got wanted [what]
	[ "$1" = "$2" ] || fail "${3:-value}: got '$1', wanted '$2'"
}

# On $output and $status as bats' `run` leaves them.
assert_status() {
	# shellcheck disable=SC2154 # bats sets them
	[ "$status" = "$1" ] || fail "exit code $status, wanted $1; output:" "$output"
}

assert_has() {
	case $output in *"$1"*) ;; *) fail "no '$1' in the output:" "$output" ;; esac
}

assert_has_not() {
	case $output in *"$1"*) fail "'$1' is in the output:" "$output" ;; esac
}

# The lines of a file (or "-") are exactly 0,1,2,...: none missing, none twice.
assert_sequence() {
	awk '$0 != NR - 1 { printf "line %d is \"%s\"\n", NR, $0; bad = 1; exit }
	     END { exit bad || NR == 0 }' "$1" >&2 || fail "the numbers are not 0,1,2,..."
}

# need CONDITION-COMMAND... -- WHY: skips the test loudly; with MUST_RUN=1 (CI) it fails.
need() {
	local condition=()
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		condition+=("$1")
		shift
	done
	shift
	"${condition[@]}" >/dev/null 2>&1 && return 0
	[ -z "${MUST_RUN:-}" ] || fail "must run, but: $*"
	skip "$*"
}
