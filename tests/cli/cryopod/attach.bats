#!/usr/bin/env bats
# cryopod attach: a running container in this terminal
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

@test "attach shows output, passes input on, ends with the container's code" {
	cryopod run -d -i --name c1 "$IMAGE" sh -c 'while read x; do echo "heard $x"; [ "$x" != bye ] || exit 4; done' >/dev/null
	code=0
	printf 'hello\nbye\n' | cryopod attach c1 >"$TEST_DIR/out" || code=$?
	assert_equal "$code" 4 "exit code"
	assert_equal "$(cat "$TEST_DIR/out")" "heard hello
heard bye"
}

@test "the detach keys leave it running" {
	cryopod run -d -it --name c1 "$IMAGE" sh -c 'echo ready; cat' >/dev/null
	wait_for log_has c1 ready
	# A terminal whose keyboard types the keys once the program reads it raw.
	(
		sleep 0.3
		printf '\020\021'
		sleep 5
	) | timeout 20 script -qec "$CRYOPOD --root $TEST_DIR/root --runroot $TEST_DIR/run attach c1" /dev/null
	run -0 cryopod ps -q
	assert_equal "${#lines[@]}" 1 running
}

@test "only running ones, only one" {
	cryopod create --name c1 "$IMAGE" true >/dev/null
	run -125 cryopod attach c1
	assert_has "you can only attach to running containers"
	run -125 cryopod attach nope
	assert_has 'no container with name or ID "nope" found: no such container'
	run -125 cryopod attach
	assert_has "requires a name, id"
}
