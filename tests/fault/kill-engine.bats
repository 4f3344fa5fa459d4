load fault

setup_file() { test_begin; }
teardown_file() { test_end; }
teardown() {
	leftovers_remove
	assert_nothing_left
}

# A process that computes and one that sleeps; the former tells when its registers are wrong.
start_target() {
	gcc -std=gnu17 -D_GNU_SOURCE -O1 -I"$TOP/tests/live" -o "$TEST_DIR/computes" "$TOP/tests/live/registers.c"
	# Its own output: the shell's numbers would make the file grow, which tells it to end.
	setsid sh -c '"$0" >"$0.out" & i=0; while true; do echo $i; i=$((i + 1)); sleep 0.01; done' "$TEST_DIR/computes" \
		</dev/null >"$TEST_DIR/out" 2>&1 3>&- &
	target=$!
	wait_for file_has "$TEST_DIR/computes.out" ready
	computing=
	wait_for find_computing
}

# The shell's sleep is another process every time; these two are always the same.
layout() { cut -d' ' -f1,2 "/proc/$target/maps" "/proc/$computing/maps"; }
is_computing() { [ "$(cat "/proc/$1/comm" 2>/dev/null)" = computes ]; }
find_computing() {
	# The list of children may miss one while another ends: hence more than one look.
	for computing in $(cat "/proc/$target/task/$target/children"); do
		! is_computing "$computing" || return 0
	done
	return 1
}
counts() { [ "$(grep -c '^[0-9]' "$TEST_DIR/out")" -gt "$1" ]; }

@test "SIGKILL to cryo dump at 100 random moments: the target runs on, unchanged" {
	local strike before n took=0 struck=0
	strike=$(helper strike)
	start_target
	before=$(layout)
	mkdir "$TEST_DIR/img"
	for _ in 1 2 3 4 5; do
		run "$strike" first 10000000 "$CRYO" dump -t "$target" -D "$TEST_DIR/img" --shell-job --leave-running
		[[ $output == *"ended 0 "* ]] || fail "$output"
		[ "$took" = 0 ] || [ "${output##* }" -lt "$took" ] || continue
		took=${output##* }
	done
	for round in $(seq 100); do
		rm -rf "$TEST_DIR/img"
		mkdir "$TEST_DIR/img"
		run "$strike" first "$(random $took)" "$CRYO" dump -t "$target" -D "$TEST_DIR/img" --shell-job --leave-running
		assert_status 0
		[[ $output != *struck\ * ]] || struck=$((struck + 1))
		n=$(grep -c '^[0-9]' "$TEST_DIR/out")
		wait_for counts "$n" || fail "round $round: the target stands still"
		wait_for nobody_stopped "$target" || fail "round $round: a task is stopped or traced"
		assert_equal "$(layout)" "$before" "round $round: layout of the target"
	done
	[ "$struck" -ge 60 ] || fail "only $struck of 100 dumps were struck: the moments are badly chosen"
	! grep fail "$TEST_DIR/computes.out" || fail "its registers changed"
	is_computing "$computing" || fail "the computing process is gone"
	rm -rf "$TEST_DIR/img"
	mkdir "$TEST_DIR/img"
	cryo dump -t "$target" -D "$TEST_DIR/img" --shell-job
	wait_for process_gone "$target"
	grep '^[0-9]' "$TEST_DIR/out" | assert_sequence -
}

@test "SIGKILL to cryo dump while messages are taken out and put back: none is lost" {
	local strike took=0 struck=0
	strike=$(helper strike)
	gcc -std=gnu17 -D_GNU_SOURCE -O1 -I"$TOP/tests/live" -o "$TEST_DIR/queues" "$TOP/tests/live/mqueue-content.c"
	: >"$TEST_DIR/queues.out"
	# An IPC namespace of its own: in ours the messages would not be touched.
	setsid unshare --ipc "$TEST_DIR/queues" </dev/null >>"$TEST_DIR/queues.out" 2>&1 3>&- &
	target=$!
	wait_for file_has "$TEST_DIR/queues.out" ready
	rm -rf "$TEST_DIR/img"
	mkdir "$TEST_DIR/img"
	for _ in 1 2 3; do
		run "$strike" first 10000000 "$CRYO" dump -t "$target" -D "$TEST_DIR/img" --leave-running
		[[ $output == *"ended 0 "* ]] || fail "$output"
		[ "$took" = 0 ] || [ "${output##* }" -lt "$took" ] || continue
		took=${output##* }
	done
	for round in $(seq 60); do
		rm -rf "$TEST_DIR/img"
		mkdir "$TEST_DIR/img"
		run "$strike" first "$(random $took)" "$CRYO" dump -t "$target" -D "$TEST_DIR/img" --leave-running
		assert_status 0
		[[ $output != *struck\ * ]] || struck=$((struck + 1))
		wait_for nobody_stopped "$target" || fail "round $round: a task is stopped or traced"
	done
	[ "$struck" -ge 30 ] || fail "only $struck of 60 dumps were struck: the moments are badly chosen"
	printf 'go%*s\n' 4092 '' >>"$TEST_DIR/queues.out"
	wait_for process_gone "$target"
	grep -x pass "$TEST_DIR/queues.out"
}
