#!/usr/bin/env bats
# cryopod logs: what was written, in parts, while it grows
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

@test "all of it, both streams, where they belong" {
	cryopod run --name c1 "$IMAGE" sh -c 'echo to out; echo to err >&2; printf unfinished' >/dev/null 2>&1
	cryopod logs c1 >"$TEST_DIR/out" 2>"$TEST_DIR/err"
	assert_has_line() { grep -qx "$2" "$1"; }
	assert_has_line "$TEST_DIR/out" "to out"
	assert_has_line "$TEST_DIR/err" "to err"
	grep -q unfinished "$TEST_DIR/out"
}

@test "long lines come back whole" {
	cryopod run --name c1 "$IMAGE" sh -c 'head -c 100000 /dev/zero | tr "\0" x; echo; echo end' >/dev/null
	run -0 cryopod logs c1
	assert_equal "${#lines[0]}" 100000 "length of the line"
	assert_equal "${lines[1]}" end
	run -0 cryopod logs --tail 2 c1
	assert_equal "${#lines[0]}" 100000 "length of the line"
}

@test "--tail, -t, -n, --since, --until" {
	cryopod run --name c1 "$IMAGE" seq 1 50 >/dev/null
	run -0 cryopod logs --tail 3 c1
	assert_equal "$output" "48
49
50"
	run -0 cryopod logs --tail 0 c1
	assert_equal "$output" ""
	run -0 cryopod logs -t --tail 1 c1
	[[ $output =~ ^20[0-9][0-9]-[0-9-]+T[0-9:.]+[+Z][0-9:]*\ 50$ ]]
	run -0 cryopod logs -n --tail 1 c1
	assert_equal "$output" "c1 50"
	run -0 cryopod logs --since 2000-01-01 c1
	assert_equal "${#lines[@]}" 50 lines
	run -0 cryopod logs --until 2000-01-01T00:00:00Z c1
	assert_equal "$output" ""
	run -0 cryopod logs --since 1h c1
	assert_equal "${#lines[@]}" 50 lines
	run -125 cryopod logs --since tomorrow c1
	assert_has "'tomorrow' is not a time"
	run -125 cryopod logs --tail many c1
	assert_has 'invalid argument "many" for "--tail" flag'
}

@test "-f goes on to the end of the container" {
	mkfifo "$TEST_DIR/go"
	cryopod run -d --name c1 -v "$TEST_DIR/go:/go" "$IMAGE" sh -c 'echo first; read x </go; echo last' >/dev/null
	wait_for log_has c1 first
	cryopod logs -f c1 >"$TEST_DIR/out" &
	pid=$!
	wait_for file_has "$TEST_DIR/out" first
	echo >"$TEST_DIR/go"
	wait "$pid"
	assert_equal "$(cat "$TEST_DIR/out")" "first
last"
	rm "$TEST_DIR/go"
}

@test "several containers, the latest, none" {
	cryopod run --name c1 "$IMAGE" echo one >/dev/null
	cryopod run --name c2 "$IMAGE" echo two >/dev/null
	run -0 cryopod logs c1 c2
	[[ ${lines[0]} =~ ^[0-9a-f]{12}\ one$ ]]
	run -0 cryopod logs -l
	assert_equal "$output" two
	run -125 cryopod logs
	assert_has "specify at least one container name or ID to log"
	run -125 cryopod logs nope
	assert_has 'no container with name or ID "nope" found: no such container'
}
