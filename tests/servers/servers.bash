# servers.bash: what the tests of this folder have in common.
#
#	load ../lib/setup
#	load servers
#	setup_file() { test_begin; server_image python python3; }
#
# An image per server rather than one with all: a file can run alone, and takes in 100 MB and not
# a gigabyte; what they share is downloaded once (tools/debian-rootfs). The tar is made once a
# machine and stays in $CACHE.

PROGRAMS=$TOP/tests/servers/programs
# One JSON line a round, for who wants to know how long it took.
SERVER_TIMES=${SERVER_TIMES:-/dev/null}
BATS_TEST_TIMEOUT=${SERVER_TEST_TIMEOUT:-600}
export PROGRAMS SERVER_TIMES BATS_TEST_TIMEOUT

# server_image NAME PACKAGE... [-- COMMAND...]: imports localhost/NAME from Debian packages.
server_image() {
	local name=$1 tar
	shift
	tar=$CACHE/$name-$({ cat "$TOP/tools/debian-rootfs"; echo "$@"; } | sha256sum | cut -c1-16).tar
	if [ ! -e "$tar" ]; then
		mkdir -p "$CACHE"
		"$TOP/tools/debian-rootfs" "$tar" "$@" || return 1
		find "$CACHE" -maxdepth 1 -name "$name-*.tar" ! -path "$tar" -delete
	fi
	cryopod import "$tar" "localhost/$name:latest" >/dev/null
}

# start_server NAME IMAGE [OPTION...] -- COMMAND...: a container, with the programs of this folder in /programs.
start_server() {
	local name=$1 image=$2 options=()
	shift 2
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	cryopod run -d --name "$name" --network none -v "$PROGRAMS:/programs:ro" "${options[@]}" \
		"localhost/$image:latest" "$@" >/dev/null
}

# --- to disk and back -------------------------------------------------------

to_disk() { # NAME [OPTION...]
	cryopod container checkpoint --print-stats "${@:2}" "$1" >"$TEST_DIR/checkpoint.json" || return 1
	jq -c --arg name "$1" --arg test "${BATS_TEST_DESCRIPTION:-}" '{ test: $test, name: $name, what: "checkpoint",
		whole_ms: (.podman_checkpoint_duration / 1000), pages: .container_statistics[0].criu_statistics.pages_written,
		frozen_ms: (.container_statistics[0].criu_statistics.frozen_time / 1000) }' "$TEST_DIR/checkpoint.json" >>"$SERVER_TIMES"
}

from_disk() { # NAME [OPTION...]
	cryopod container restore --print-stats "${@:2}" "$1" >"$TEST_DIR/restore.json" || return 1
	jq -c --arg name "$1" --arg test "${BATS_TEST_DESCRIPTION:-}" '{ test: $test, name: $name, what: "restore",
		whole_ms: (.podman_restore_duration / 1000) }' "$TEST_DIR/restore.json" >>"$SERVER_TIMES"
}

# Whatever the kernel has in its page cache of the images and of the container's files is dropped:
# what comes back then comes from the disk.
forget_pages() { # NAME
	local userdata
	userdata=$TEST_DIR/root/containers/$(cryopod inspect --format '{{.Id}}' "$1")/userdata
	[ -s "$userdata/checkpoint/inventory.img" ] || fail "no checkpoint of $1"
	python3 "$PROGRAMS/forget-pages.py" "$userdata/checkpoint" "$TEST_DIR/root" >&2
}

round() { # NAME
	to_disk "$1" && from_disk "$1"
}
