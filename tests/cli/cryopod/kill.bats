#!/usr/bin/env bats
# cryopod kill, stop, wait, pause, unpause, restart
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

@test "kill sends KILL, or what is asked for" {
	cryopod run -d --name c1 "$IMAGE" sh -c 'trap "echo got it" USR1; while :; do sleep 0.05; done' >/dev/null
	wait_for cryopod exec c1 true
	run -0 cryopod kill -s USR1 c1
	assert_equal "$output" c1
	wait_for log_has c1 "got it"
	run -0 cryopod kill c1
	run -0 cryopod inspect --format '{{.State.Status}} {{.State.ExitCode}}' c1
	assert_equal "$output" "exited 137"
	run -125 cryopod kill c1
	assert_has "can only kill running containers"
	run -125 cryopod kill -s FOO c1
	assert_has "invalid signal: FOO"
}

@test "kill -a kills those that run, and is content with none" {
	cryopod run -d "$IMAGE" sleep 100 >/dev/null
	cryopod run -d "$IMAGE" sleep 100 >/dev/null
	cryopod create "$IMAGE" true >/dev/null
	run -0 cryopod kill -a
	assert_equal "${#lines[@]}" 2 lines
	run -0 cryopod kill -a
	assert_equal "$output" ""
}

@test "stop: the stop signal first, SIGKILL after the time" {
	cryopod run -d --name c1 --stop-signal INT "$IMAGE" \
		sh -c 'trap "exit 9" INT; while :; do sleep 0.05; done' >/dev/null
	wait_for cryopod exec c1 true
	run -0 cryopod stop c1
	assert_equal "$output" c1
	run -0 cryopod inspect --format '{{.State.ExitCode}}' c1
	assert_equal "$output" 9
	cryopod run -d --name c2 "$IMAGE" sh -c 'trap "" TERM; while :; do sleep 0.05; done' >/dev/null
	run -0 cryopod stop -t 1 c2
	assert_has "resorting to SIGKILL"
	run -0 cryopod inspect --format '{{.State.ExitCode}}' c2
	assert_equal "$output" 137
	run -0 cryopod stop c1 c2
}

@test "while stop waits, others can look and kill" {
	cryopod run -d --name c1 "$IMAGE" sh -c 'trap "" TERM; while :; do sleep 0.05; done' >/dev/null
	cryopod stop -t 100 c1 >/dev/null &
	pid=$!
	run -0 cryopod ps -q
	assert_equal "${#lines[@]}" 1 running
	run -0 cryopod kill c1
	wait "$pid"
}

# poll(2) or ppoll(2)
is_polling() { grep -qE '^(7|271) ' "/proc/$1/syscall"; }

@test "wait prints the exit code when it has ended" {
	cryopod run -d --name c1 "$IMAGE" sh -c 'read x; exit 6' >/dev/null
	run -0 cryopod wait c1
	assert_equal "$output" 6
	run -0 cryopod wait -l
	assert_equal "$output" 6
	# Of one that is removed when it ends, too, if it was there when the waiting began.
	cryopod run -d --rm --name c2 "$IMAGE" sh -c 'while [ ! -e /go ]; do sleep 0.05; done; exit 8' >/dev/null
	"$CRYOPOD" --root "$TEST_DIR/root" --runroot "$TEST_DIR/run" wait c2 >"$TEST_DIR/code" 3>&- &
	pid=$!
	wait_for is_polling "$pid"
	cryopod exec c2 touch /go
	wait "$pid"
	assert_equal "$(cat "$TEST_DIR/code")" 8
	run -125 cryopod wait
	assert_has "requires a name, id, or the \"--latest\" flag"
}

@test "pause and unpause" {
	cryopod run -d --name c1 "$IMAGE" sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done' >/dev/null
	wait_for log_lines c1 3
	run -0 cryopod pause c1
	assert_equal "$output" c1
	run -0 cryopod inspect --format '{{.State.Status}} {{.State.Paused}}' c1
	assert_equal "$output" "paused true"
	before=$(cryopod logs c1 | wc -l)
	run -125 cryopod pause c1
	assert_has "is already paused: container state improper"
	run -2 cryopod rm c1
	assert_has "as it is paused - running or paused containers cannot be removed without force"
	assert_equal "$(cryopod logs c1 | wc -l)" "$before" "lines while paused"
	run -0 cryopod unpause -a
	wait_for log_lines c1 $((before + 3))
	run -125 cryopod unpause c1
	assert_has "is not paused, can't unpause"
	cryopod stop -t 0 c1
	run -125 cryopod pause c1
	assert_has "\"exited\" is not running, can't pause: container state improper"
}

@test "a paused container can be stopped and removed by force" {
	cryopod run -d --name c1 "$IMAGE" sleep 100 >/dev/null
	cryopod pause c1
	run -0 cryopod rm -f -t 0 c1
}

@test "restart gives a new process" {
	cryopod run -d --name c1 "$IMAGE" sleep 100 >/dev/null
	old=$(cryopod inspect --format '{{.State.Pid}}' c1)
	run -0 cryopod restart -t 0 c1
	[ "$(cryopod inspect --format '{{.State.Pid}}' c1)" != "$old" ]
	process_gone "$old"
}

@test "when conmon is killed the container can still be ended and removed" {
	cryopod run -d --name c1 "$IMAGE" sleep 100 >/dev/null
	kill -KILL "$(cryopod inspect --format '{{.State.ConmonPid}}' c1)"
	run -0 cryopod ps -q
	assert_equal "${#lines[@]}" 1 running
	run -0 cryopod kill c1
	run -0 cryopod inspect --format '{{.State.Status}}' c1
	assert_equal "$output" exited
	run -0 cryopod rm c1
}
