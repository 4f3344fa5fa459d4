#!/usr/bin/env bats
# Node.js: what it prints is exactly what it would have printed in one piece
load ../lib/setup
load servers
setup_file()    { test_begin; server_image node nodejs; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

start_steps() {
	start_server steps node -- node /programs/node-steps.js
	wait_for -t 60 log_lines steps 20
}

goes_on() {
	local before
	before=$(cryopod logs steps | wc -l)
	wait_for -t 60 log_lines steps $((before + 20))
}

assert_exact_output() {
	cryopod kill -s TERM steps >/dev/null
	assert_equal "$(cryopod wait steps)" 0 "exit code"
	cryopod logs steps >"$TEST_DIR/got"
	cryopod run --rm --network none -v "$PROGRAMS:/programs:ro" localhost/node:latest \
		node /programs/node-steps.js --expected "$(awk '/^end/ { print $2 }' "$TEST_DIR/got")" >"$TEST_DIR/wanted"
	diff "$TEST_DIR/wanted" "$TEST_DIR/got" >&2
}

@test "timers, worker threads, a child and fs.watch, read back from the disk" {
	start_steps
	to_disk steps
	forget_pages steps
	from_disk steps
	goes_on
	assert_exact_output
}

@test "five rounds in a row" {
	start_steps
	for _ in 1 2 3 4 5; do
		round steps
		goes_on
	done
	assert_exact_output
}
