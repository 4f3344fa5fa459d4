# cryo pre-dump, and dumps that leave to older images what was not written since.

load ../../lib/setup

setup_file() {
	test_begin
	gcc -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o "$TEST_DIR/changes" "$TOP/tests/cli/cryo/pre-dump.c"
}
teardown_file() { test_end; }
setup() {
	IMG=$(mktemp -d "$TEST_DIR/img.XXXX")
	mkdir "$IMG/1" "$IMG/2" "$IMG/3"
	# None open above ours.
	# No descriptor above ours.
	setsid bash -c 'for fd in /proc/self/fd/*; do fd=${fd##*/}; [ "$fd" -le 2 ] || eval "exec $fd>&-"; done
		exec "$0" "$1"' "$TEST_DIR/changes" "$IMG/state" </dev/null >/dev/null 2>&1 3>&- &
	pid=$!
	wait_for state_is ready
}
teardown() {
	leftovers_remember
	assert_nothing_left
}

state_is() { grep -qx "$1" "$IMG/state" 2>/dev/null; }
change() {
	kill -USR1 "$pid"
	wait_for state_is "changed $1"
}
judged() { ! grep -q "^changed" "$IMG/state"; }
assert_whole() {
	kill -USR2 "$pid"
	wait_for judged
	assert_equal "$(cat "$IMG/state")" whole "memory"
}
pages() { cryo show "$IMG/$1/stats-dump" | jq ".entries[0].dump.$2"; }
# Numbers and files, without ours.
open_files() { find "/proc/$pid/fd" -mindepth 1 ! -lname '*userfaultfd*' -printf '%f %l\n' | sort -n; }
descriptors() { find "/proc/$pid/fd" -mindepth 1 -printf '%l\n' | grep -c userfaultfd; }

@test "only what was written since the last round is saved, over three rounds" {
	cryo pre-dump -t "$pid" -D "$IMG/1"
	[ "$(pages 1 pages_written)" -gt 8000 ]
	local before
	before=$(open_files)
	change 1
	cryo pre-dump -t "$pid" -D "$IMG/2" --prev-images-dir ../1
	[ "$(pages 2 pages_written)" -lt 500 ]
	[ "$(pages 2 pages_skipped_parent)" -gt 7500 ]
	change 2
	cryo dump -t "$pid" -D "$IMG/3" --prev-images-dir ../2
	[ "$(pages 3 pages_written)" -lt 500 ]
	wait_for process_gone "$pid"
	assert_equal "$(readlink "$IMG/3/parent")" ../2 "the link to older images"
	cryo restore -D "$IMG/3" -d
	assert_whole
	assert_equal "$(descriptors)" 0 "descriptors of ours after the restore"
	assert_equal "$(open_files)" "$before" "descriptors after the restore"
	kill -9 "$pid"
}

@test "a dump that lets the tree run can be the parent of the next one" {
	cryo dump -t "$pid" -D "$IMG/1" -R --track-mem
	change 1
	cryo dump -t "$pid" -D "$IMG/2" --prev-images-dir ../1 -R --track-mem
	[ "$(pages 2 pages_written)" -lt 500 ]
	change 2
	cryo dump -t "$pid" -D "$IMG/3" --prev-images-dir ../2
	[ "$(pages 3 pages_written)" -lt 500 ]
	wait_for process_gone "$pid"
	cryo restore -D "$IMG/3" -d
	assert_whole
	kill -9 "$pid"
}

@test "images of an older generation are not trusted" {
	cryo pre-dump -t "$pid" -D "$IMG/1"
	change 1
	cryo pre-dump -t "$pid" -D "$IMG/2"
	cryo dump -t "$pid" -D "$IMG/3" --prev-images-dir ../1
	[ "$(pages 3 pages_written)" -gt 8000 ]
	wait_for process_gone "$pid"
	cryo restore -D "$IMG/3" -d
	assert_whole
	kill -9 "$pid"
}

@test "a pre-dump is no checkpoint, and costs the tree one descriptor" {
	cryo pre-dump -t "$pid" -D "$IMG/1"
	[ ! -e "$IMG/1/inventory.img" ]
	assert_equal "$(descriptors)" 1 "descriptors of ours"
	change 1
	cryo pre-dump -t "$pid" -D "$IMG/2" --prev-images-dir ../1
	assert_equal "$(descriptors)" 1 "descriptors of ours, after a second round"
	run cryo restore -D "$IMG/2" -d
	[ "$status" != 0 ]
	assert_whole
	kill -9 "$pid"
}

@test "older images that are not there" {
	run cryo dump -t "$pid" -D "$IMG/1" --prev-images-dir ../none
	[ "$status" != 0 ]
	[[ $output == *"open the folder '../none' of older images"* ]]
	[ ! -e "$IMG/1/parent" ]
	[ ! -L "$IMG/1/parent" ]
	assert_whole
	kill -9 "$pid"
}
