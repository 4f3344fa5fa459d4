#!/usr/bin/env bats
# cryopod init and start: made, then let go
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

@test "init makes the OCI container, start lets its process go" {
	cryopod create --name c1 "$IMAGE" sh -c 'echo started; sleep 100' >/dev/null
	run -0 cryopod init c1
	assert_equal "$output" c1
	id=$(cryopod inspect --format '{{.Id}}' c1)
	[ -s "$TEST_DIR/root/containers/$id/userdata/config.json" ]
	run -0 cryopod inspect --format '{{.State.Status}}' c1
	assert_equal "$output" initialized
	run -0 cryopod logs c1
	assert_equal "$output" ""
	run -0 cryopod start c1
	assert_equal "$output" c1
	wait_for log_has c1 '^started$'
	run -0 cryopod inspect --format '{{.State.Status}} {{.State.Running}}' c1
	assert_equal "$output" "running true"
}

@test "init twice is refused, start of a running one is silent" {
	cryopod run -d --name c1 "$IMAGE" sleep 100 >/dev/null
	run -125 cryopod init c1
	assert_has "has already been created in runtime: container state improper"
	run -0 cryopod start c1
	assert_equal "$output" ""
}

@test "an initialized container can be stopped and removed" {
	cryopod create --name c1 "$IMAGE" sleep 100 >/dev/null
	cryopod init c1
	run -0 cryopod stop c1
	assert_equal "$output" c1
	run -0 cryopod inspect --format '{{.State.Status}}' c1
	assert_equal "$output" exited
	cryopod init c1
	run -0 cryopod rm c1
}

@test "start again runs the same command in the same root" {
	cryopod create --name c1 "$IMAGE" sh -c 'echo x >>/count; wc -l </count' >/dev/null
	for n in 1 2 3; do
		run -0 cryopod start -a c1
		assert_equal "$output" "$n"
	done
}

@test "a command that is missing: 127, forbidden: 126; the container can be removed" {
	cryopod create --name c1 "$IMAGE" /no/such/program >/dev/null
	run -127 cryopod start c1
	assert_has "OCI runtime attempted to invoke a command that was not found"
	cryopod create --name c2 "$IMAGE" /etc/passwd >/dev/null
	run -126 cryopod start c2
	assert_has "permission denied"
	run -0 cryopod rm c1 c2
}

@test "after cryopod was killed in the middle, the next command goes on" {
	cryopod create --name c1 "$IMAGE" sleep 100 >/dev/null
	for delay in 0.001 0.005 0.01 0.02 0.03 0.04; do
		timeout -s KILL "$delay" "$CRYOPOD" --root "$TEST_DIR/root" --runroot "$TEST_DIR/run" \
			start c1 >/dev/null 2>&1 3>&- || true
		cryopod start c1 >/dev/null
		run -0 cryopod inspect --format '{{.State.Status}}' c1
		assert_equal "$output" running
		cryopod stop -t 0 c1 >/dev/null
	done
}

@test "no names" {
	run -125 cryopod init
	assert_has "you must provide at least one name or id"
	run -125 cryopod start
	assert_has "start requires at least one argument"
	run -125 cryopod start nope
	assert_has 'no container with name or ID "nope" found: no such container'
}
