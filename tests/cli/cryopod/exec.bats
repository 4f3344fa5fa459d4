#!/usr/bin/env bats
# cryopod exec: one more process
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

setup() { cryopod run -d --name c1 "$IMAGE" sleep 1000 >/dev/null; }

@test "output, exit code, environment, folder, user" {
	run -3 cryopod exec c1 sh -c 'echo inside; exit 3'
	assert_equal "$output" inside
	run -0 cryopod exec -e A=b -w /etc -u 1000 c1 sh -c 'echo $A $(pwd) $(id -u)'
	assert_equal "$output" "b /etc 1000"
	run -0 cryopod exec -u user c1 sh -c 'echo $HOME $(id -un)'
	assert_equal "$output" "/home user"
	run -0 cryopod exec c1 readlink /proc/self/ns/pid
	assert_equal "$output" "$(readlink "/proc/$(cryopod inspect --format '{{.State.Pid}}' c1)/ns/pid")"
	run -0 cryopod exec -l true
}

@test "-i passes input on; streams stay apart" {
	seq 1 3000 >"$TEST_DIR/in"
	cryopod exec -i c1 cat <"$TEST_DIR/in" >"$TEST_DIR/out"
	cmp "$TEST_DIR/in" "$TEST_DIR/out"
	cryopod exec c1 sh -c 'echo o; echo e >&2' >"$TEST_DIR/out" 2>"$TEST_DIR/err"
	assert_equal "$(cat "$TEST_DIR/out" "$TEST_DIR/err")" "o
e"
}

@test "-d leaves it in the background" {
	run -0 cryopod exec -d c1 sh -c 'echo done >/marker; sleep 1000'
	marked() { cryopod exec c1 test -s /marker; }
	wait_for marked
}

@test "-t gives a terminal" {
	run -0 script -qec "$CRYOPOD --root $TEST_DIR/root --runroot $TEST_DIR/run exec -it c1 tty" /dev/null
	assert_has "/dev/pts/"
}

@test "capabilities: --privileged has all" {
	run -0 cryopod exec --privileged c1 grep CapEff /proc/self/status
	assert_has "$(grep CapBnd /proc/self/status | cut -f2)"
}

@test "what can't be done" {
	run -127 cryopod exec c1 no-such-program
	run -126 cryopod exec c1 /etc/passwd
	run -125 cryopod exec nope true
	assert_has 'no container with name or ID "nope" found: no such container'
	run -125 cryopod exec c1
	assert_has "must provide a non-empty command"
	run -125 cryopod exec
	assert_has "exec requires the name or ID of a container"
	cryopod stop -t 0 c1 >/dev/null
	run -255 cryopod exec c1 true
	assert_has "can only create exec sessions on running containers: container state improper"
}

@test "no session leaves files behind" {
	for _ in 1 2 3; do cryopod exec c1 true; done
	cryopod exec -d c1 true >/dev/null
	id=$(cryopod inspect --format '{{.Id}}' c1)
	empty() { [ -z "$(ls "$TEST_DIR/root/containers/$id/userdata/exec")" ]; }
	wait_for empty
}
