# cryo restore: whose child the tree becomes, what is handed over, what is refused in which words.

load ../../lib/setup

setup_file() { test_begin; }
teardown_file() { test_end; }
setup() { IMG=$(mktemp -d "$TEST_DIR/img.XXXX"); }
teardown() {
	leftovers_remove
	assert_nothing_left
}

lines() { wc -l <"$TEST_DIR/count"; }
more_than() { [ "$(lines)" -gt "$1" ]; }
grows() {
	local n
	n=$(lines)
	wait_for more_than "$n"
}
state() { sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$1/status"; }
is_state() { [ "$(state "$1")" = "$2" ]; }
gone() { [ ! -e "/proc/$1" ]; }

# A counting shell, dumped into $IMG and gone; it ends with code 7 when it gets SIGTERM.
dump_loop() { # [dump option...]
	: >"$TEST_DIR/count"
	setsid sh -c 'trap "exit 7" TERM; i=0; while true; do echo $i; i=$((i + 1)); sleep 0.02; done' \
		</dev/null >>"$TEST_DIR/count" 2>&1 3>&- &
	pid=$!
	wait_for more_than 2
	cryo dump -t "$pid" -D "$IMG" "$@"
	wait "$pid" || true
}

@test "detached: it counts on under its old process id, which the pidfile tells" {
	dump_loop
	run cryo restore -D "$IMG" -d -v4 -o restore.log --pidfile id
	assert_status 0
	assert_equal "$output" "" "output"
	assert_equal "$(cat "$IMG/id")" "$pid" "pidfile"
	[ -s "$IMG/restore.log" ]
	[ -s "$IMG/stats-restore" ]
	grows
	kill -TERM "$pid"
	wait_for gone "$pid"
	assert_sequence "$TEST_DIR/count"
}

@test "attached: its exit code is ours" {
	dump_loop
	cryo restore -D "$IMG" >"$TEST_DIR/said" 2>&1 &
	local cryo_pid=$! status=0
	grows
	kill -TERM "$pid"
	wait "$cryo_pid" || status=$?
	assert_equal "$status" 7 "exit code"
	assert_sequence "$TEST_DIR/count"
}

@test "the same images restore again and again" {
	dump_loop
	for _ in 1 2 3; do
		cryo restore -D "$IMG" -d
		grows
		kill -KILL "$pid"
		wait_for gone "$pid"
	done
}

@test "--leave-stopped: not one instruction is run before SIGCONT" {
	local n
	dump_loop
	n=$(lines)
	cryo restore -D "$IMG" -d --leave-stopped
	assert_equal "$(state "$pid")" T "state"
	assert_equal "$(lines)" "$n" "lines"
	kill -CONT "$pid"
	for child in $(cat "/proc/$pid/task/$pid/children"); do kill -CONT "$child"; done
	grows
	kill -KILL "$pid"
	wait_for gone "$pid"
	assert_sequence "$TEST_DIR/count"
}

@test "--explain: each task's tape in words, before anything is made" {
	dump_loop
	run cryo restore -D "$IMG" -d --explain
	assert_status 0
	assert_has "task $pid: tape"
	assert_has "beginning a session"
	assert_has "returning into the program"
	kill -KILL "$pid"
	wait_for gone "$pid"
}

@test "a process id that is taken: nothing is made, and it is named" {
	dump_loop
	cryo restore -D "$IMG" -d
	run cryo restore -D "$IMG" -d
	assert_status 1
	assert_has "process id $pid"
	assert_has "is taken"
	grows
	kill -KILL "$pid"
	wait_for gone "$pid"
}

@test "a number that a living group still has: refused, and the member is named" {
	setsid sh -c '(sleep 1000 & echo $! >"$0"); while true; do sleep 0.02; done' \
		"$TEST_DIR/orphan" </dev/null >/dev/null 2>&1 3>&- &
	pid=$!
	wait_for test -s "$TEST_DIR/orphan"
	orphan=$(cat "$TEST_DIR/orphan")
	cryo dump -t "$pid" -D "$IMG"
	wait "$pid" || true
	run cryo restore -D "$IMG" -d
	assert_status 1
	assert_has "process id $pid"
	assert_has "process $orphan (sleep) is in the group or session of that number"
	kill -KILL "$orphan"
	cryo restore -D "$IMG" -d
	kill -KILL "$pid"
	wait_for gone "$pid"
}

@test "a file that is not as it was: refused, and nothing is left" {
	cp "$(command -v sleep)" "$TEST_DIR/sleeper"
	setsid "$TEST_DIR/sleeper" 1000 </dev/null >/dev/null 2>&1 3>&- &
	pid=$!
	wait_for grep -qa sleeper "/proc/$pid/cmdline"
	cryo dump -t "$pid" -D "$IMG"
	wait "$pid" || true
	wait_for gone "$pid"
	echo more >>"$TEST_DIR/sleeper"
	run cryo restore -D "$IMG" -d
	assert_status 1
	assert_has "file '$TEST_DIR/sleeper' has"
	gone "$pid"
	rm "$TEST_DIR/sleeper"
	run cryo restore -D "$IMG" -d
	assert_status 1
	assert_has "open '$TEST_DIR/sleeper': openat: No such file or directory"
}

@test "an action script that fails undoes all" {
	dump_loop
	run cryo restore -D "$IMG" -d --action-script 'test $CRTOOLS_SCRIPT_ACTION != pre-resume'
	assert_status 1
	assert_has "pre-resume"
	gone "$pid"
	run cryo restore -D "$IMG" -d --action-script \
		"echo \$CRTOOLS_SCRIPT_ACTION \$CRTOOLS_INIT_PID >>$TEST_DIR/actions"
	assert_status 0
	assert_equal "$(tail -n 1 "$TEST_DIR/actions")" "post-resume $pid" "last action"
	kill -KILL "$pid"
	wait_for gone "$pid"
}

@test "words that can't be: one line each" {
	run cryo restore -D "$IMG" -d
	assert_status 1
	assert_has "inventory.img"
	run cryo restore -D "$IMG" --inherit-fd 7
	assert_status 1
	assert_has "fd[N]:KEY"
	run cryo restore -D "$IMG" --join-ns net
	assert_status 1
	assert_has "TYPE:FILE"
	run cryo restore -D "$IMG" --lazy-pages
	assert_status 1
	assert_has "--lazy-pages is not supported"
	run cryo restore -D "$IMG" --manage-cgroups=what
	assert_status 1
	assert_has "unknown mode 'what'"
}
