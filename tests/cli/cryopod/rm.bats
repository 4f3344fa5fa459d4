#!/usr/bin/env bats
# cryopod rm: all of it goes
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

@test "rm removes folder, root and record" {
	run -0 cryopod run --name c1 "$IMAGE" touch /file
	id=$(cryopod inspect --format '{{.Id}}' c1)
	run -0 cryopod rm c1
	assert_equal "$output" c1
	[ ! -e "$TEST_DIR/root/containers/$id" ]
	run -1 cryopod container exists c1
	run -1 cryopod rm c1
	assert_has 'no container with name or ID "c1" found: no such container'
	run -0 cryopod rm -i c1
	run -0 cryopod rm -f c1
}

@test "a running one needs force" {
	cryopod run -d --name c1 "$IMAGE" sleep 100 >/dev/null
	run -2 cryopod rm c1
	assert_has "as it is running - running or paused containers cannot be removed without force"
	run -0 cryopod rm -f -t 0 c1
}

@test "-a removes all; one unknown name and nothing is done" {
	cryopod create --name c1 "$IMAGE" true >/dev/null
	cryopod create --name c2 "$IMAGE" true >/dev/null
	run -1 cryopod rm c1 nope
	run -0 cryopod container exists c1
	run -0 cryopod rm -a
	assert_equal "${#lines[@]}" 2 lines
	run -125 cryopod rm
	assert_has "you must provide at least one name or id"
	run -125 cryopod rm -a c1
	assert_has "no arguments are needed with --all"
	run -125 cryopod rm -a -l
	assert_has "--all and --latest cannot be used together"
}

@test "two at once: both end well, it is gone" {
	for n in 1 2 3 4; do cryopod run -d --name "c$n" "$IMAGE" sleep 100 >/dev/null; done
	cryopod rm -f -t 0 -a >/dev/null &
	cryopod rm -f -t 0 -a >/dev/null
	wait $!
	run -0 cryopod ps -aq
	assert_equal "$output" ""
}

@test "killed in the middle, done again" {
	for delay in 0.002 0.005 0.01 0.015 0.02 0.03; do
		cryopod create --name c1 "$IMAGE" true >/dev/null
		cryopod mount c1 >/dev/null
		timeout -s KILL "$delay" "$CRYOPOD" --root "$TEST_DIR/root" --runroot "$TEST_DIR/run" \
			rm c1 >/dev/null 2>&1 3>&- || true
		run -0 cryopod rm -f c1
		run -1 cryopod container exists c1
	done
}

@test "an id may be shortened while it is the only one" {
	id=$(cryopod create "$IMAGE" true)
	run -0 cryopod rm "${id:0:8}"
	assert_equal "$output" "${id:0:8}"
}
