# cryo dump: what becomes of the tree, what lies in the folder, what is refused in which words.

load ../../lib/setup

setup_file() { test_begin; }
teardown_file() { test_end; }
setup() { IMG=$(mktemp -d "$TEST_DIR/img.XXXX"); }
teardown() {
	leftovers_remove
	assert_nothing_left
}

# A looping shell that leads its own session and counts into $TEST_DIR/count.
start_loop() {
	setsid sh -c 'i=0; while true; do echo $i; i=$((i + 1)); sleep 0.02; done' \
		</dev/null >"$TEST_DIR/count" 2>&1 3>&- &
	pid=$!
	wait_for file_has "$TEST_DIR/count" 2
}
state() { sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status"; }
lines() { wc -l <"$TEST_DIR/count"; }
grows() {
	local n
	n=$(lines)
	wait_for more_than "$n"
}
more_than() { [ "$(lines)" -gt "$1" ]; }
is_state() { [ "$(state "$1")" = "$2" ]; }

@test "the tree is gone, the images are complete and nobody else's" {
	start_loop
	run cryo dump -t "$pid" -D "$IMG" -v4 -o dump.log
	assert_status 0
	assert_equal "$output" "" "output"
	process_gone "$pid"
	[ -s "$IMG/dump.log" ]
	assert_equal "$(find "$IMG" -name '*.img' -not -perm 600)" "" "images of another mode"
	for name in inventory pstree files "core-$pid" "mm-$pid" "fs-$pid" "ids-$pid" "pagemap-$pid" pages-1; do
		[ -s "$IMG/$name.img" ] || fail "no $name.img"
	done
	run cryo verify -D "$IMG"
	assert_status 0
	assert_equal "$(cryo show "$IMG/stats-dump" | jq '.entries[0].dump.pages_written')" \
		"$(($(cat "$IMG"/pages-*.img | wc -c) / 4096))" "pages written"
}

@test "--leave-running: it runs on as if nothing had been" {
	start_loop
	for _ in 1 2 3; do
		cryo dump --tree "$pid" --images-dir "$IMG" --leave-running
		grows
	done
	[ -s "$IMG/inventory.img" ]
	assert_sequence "$TEST_DIR/count"
}

@test "--leave-stopped: all stand still until SIGCONT" {
	start_loop
	cryo dump -t "$pid" -D "$IMG" -s
	wait_for is_state "$pid" T
	for child in $(cat "/proc/$pid/task/$pid/children"); do is_state "$child" T; done
	kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children")
	grows
}

# What no version can save: the faults that wait in a userfaultfd(2).
@test "a userfaultfd is refused by task and descriptor; nothing is harmed or left" {
	setsid python3 -c '
import ctypes, time
print("ready", ctypes.CDLL(None).syscall(323, 0o2000000), flush=True)
time.sleep(1000)' </dev/null >"$TEST_DIR/out" 2>&1 3>&- &
	pid=$!
	wait_for file_has "$TEST_DIR/out" ready
	fd=$(cut -d' ' -f2 "$TEST_DIR/out")
	run cryo dump -t "$pid" -D "$IMG"
	assert_status 1
	assert_has "task $pid: fd $fd: userfaultfd"
	assert_equal "$(ls "$IMG")" "" "what is left in the folder"
	wait_for is_state "$pid" S
}

@test "a large deleted file needs --ghost-limit, and the hint says so" {
	setsid sh -c 'exec 5>"$0"; rm "$0"; head -c 3000000 /dev/urandom >&5; echo ready; exec sleep 1000' \
		"$TEST_DIR/gone" </dev/null >"$TEST_DIR/out" 2>&1 3>&- &
	pid=$!
	wait_for file_has "$TEST_DIR/out" ready
	run cryo dump -t "$pid" -D "$IMG"
	assert_status 1
	assert_has "fd 5: deleted file"
	assert_has "--ghost-limit"
	run cryo dump -t "$pid" -D "$IMG" --ghost-limit 4M
	assert_status 0
	[ "$(stat -c %s "$IMG/ghost-file-1.img")" -gt 3000000 ]
}

@test "a job of a shell needs --shell-job" {
	sh -c 'echo ready; while true; do sleep 0.1; done' </dev/null >"$TEST_DIR/out" 2>&1 3>&- &
	pid=$!
	wait_for file_has "$TEST_DIR/out" ready
	run cryo dump -t "$pid" -D "$IMG"
	assert_status 1
	assert_has "not a session leader"
	assert_has "--shell-job"
	run cryo dump -t "$pid" -D "$IMG" --shell-job
	assert_status 0
}

@test "a job whose session began outside of its PID namespace needs --shell-job, too" {
	unshare --pid --fork --mount-proc --kill-child \
		sh -c 'echo ready; while true; do sleep 0.1; done' </dev/null >"$TEST_DIR/out" 2>&1 3>&- &
	outer=$!
	wait_for file_has "$TEST_DIR/out" ready
	pid=$(tr -d ' ' <"/proc/$outer/task/$outer/children")
	run cryo dump -t "$pid" -D "$IMG"
	assert_status 1
	assert_has "not a session leader"
	assert_has "--shell-job"
	kill -KILL "$pid"
	wait "$outer" || true
}

@test "the action script is told each stage, and may say no" {
	cat >"$TEST_DIR/script" <<-'END'
		#!/bin/sh
		echo "$CRTOOLS_SCRIPT_ACTION $CRTOOLS_INIT_PID" >>"$0.log"
		[ ! -e "$0.refuse" ] || [ "$CRTOOLS_SCRIPT_ACTION" != post-dump ]
	END
	chmod +x "$TEST_DIR/script"
	start_loop
	touch "$TEST_DIR/script.refuse"
	run cryo dump -t "$pid" -D "$IMG" --action-script "$TEST_DIR/script"
	assert_status 1
	assert_has "post-dump"
	grows
	assert_equal "$(find "$IMG" -name '*.img')" "" "images of a dump that was refused"
	rm "$TEST_DIR/script.refuse"
	cryo dump -t "$pid" -D "$IMG" --action-script "$TEST_DIR/script"
	assert_equal "$(tail -n 2 "$TEST_DIR/script.log" | tr '\n' ,)" "pre-dump $pid,post-dump $pid,"
	[ -s "$IMG/inventory.img" ]
}

@test "what this version can't do is said, not ignored" {
	start_loop
	for option in --lazy-pages --page-server --auto-dedup "--external=net[]"; do
		run cryo dump -t "$pid" -D "$IMG" "$option"
		assert_status 1
		assert_has "support"
	done
	grows
}

@test "nonsense is refused in one line, and the log exists all the same" {
	none=4194303 # one more than any process can have
	run --separate-stderr cryo dump -t $none -D "$IMG" -o d.log
	assert_status 1
	assert_equal "${#stderr_lines[@]}" 1 "lines"
	[ -e "$IMG/d.log" ]
	for words in "" "-t x" "-t $none y" "-t $none --manage-cgroups=much" "-t $none --ghost-limit 1Q" "-t $none -R -s"; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr cryo dump -D "$IMG" -o d.log $words
		assert_status 1
		[ -n "$stderr" ]
	done
}

@test "what CRIU's users pass is taken" {
	start_loop
	exec 7>"$TEST_DIR/status"
	cryo dump --no-default-config --log-file dump.log --images-dir "$IMG" --verbosity=4 --tree "$pid" \
		--pidfile "$TEST_DIR/pid" --timeout 10 --pre-dump-mode read --manage-cgroups --freeze-cgroup /x \
		--network-lock iptables --file-locks --tcp-established --ext-unix-sk --link-remap --status-fd 7
	exec 7>&-
	assert_equal "$(od -An -tx1 "$TEST_DIR/status" | tr -d ' ')" 00 "status byte"
	[ ! -e "$TEST_DIR/pid" ]
	process_gone "$pid"
}
