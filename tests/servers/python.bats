#!/usr/bin/env bats
# Python 3: what it prints is exactly what it would have printed in one piece
load ../lib/setup
load servers
setup_file()    { test_begin; server_image python python3; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

start_steps() { # PROGRAM
	start_server steps python -- python3 -u "/programs/$1"
	wait_for -t 60 log_lines steps 20
}

# It has gone on since: some lines more than there were.
goes_on() {
	local before
	before=$(cryopod logs steps | wc -l)
	wait_for -t 60 log_lines steps $((before + 20))
}

# Asks it to end, and compares all it ever said with what follows from the number of steps.
assert_exact_output() { # PROGRAM
	cryopod kill -s TERM steps >/dev/null
	assert_equal "$(cryopod wait steps)" 0 "exit code"
	cryopod logs steps >"$TEST_DIR/got"
	python3 "$PROGRAMS/$1" --expected "$(awk '/^end/ { print $2 }' "$TEST_DIR/got")" >"$TEST_DIR/wanted"
	diff "$TEST_DIR/wanted" "$TEST_DIR/got" >&2
}

once() { # PROGRAM
	start_steps "$1"
	to_disk steps
	forget_pages steps
	from_disk steps
	goes_on
	assert_exact_output "$1"
}

five_times() { # PROGRAM
	start_steps "$1"
	for _ in 1 2 3 4 5; do
		round steps
		goes_on
	done
	assert_exact_output "$1"
}

@test "asyncio: timers, unix sockets, pipes and a child, read back from the disk" {
	once asyncio-steps.py
}

@test "asyncio: five rounds in a row" {
	five_times asyncio-steps.py
}

@test "multiprocessing: shared memory, locks and pipes, read back from the disk" {
	once multiprocessing-steps.py
}

@test "multiprocessing: five rounds in a row" {
	five_times multiprocessing-steps.py
}

@test "threads, a pool of processes and a child, read back from the disk" {
	once threads-steps.py
}

@test "threads: five rounds in a row" {
	five_times threads-steps.py
}
