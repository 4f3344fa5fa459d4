load bundle
setup_file() { test_begin; bundles_begin; }
teardown_file() { test_end; }
teardown() { containers_end; }

@test "create leaves the program waiting, start lets it run" {
	script_bundle c 'echo hello; exec sleep 1000'
	create c
	assert_equal "$(status_of c)" created
	[ ! -s "$TEST_DIR/c/out" ]
	[ -p "$TEST_DIR/runtime/c/exec.fifo" ]
	cryorun start c
	wait_for file_has "$TEST_DIR/c/out" hello
	assert_equal "$(status_of c)" running
}

@test "start of a running container is refused" {
	bundle c
	create c
	cryorun start c
	run cryorun start c
	assert_status 1
	assert_has "cannot start an already running container"
}

@test "start of a container whose init died is refused and does not hang" {
	bundle c
	create c
	kill -KILL "$(init_of c)"
	wait_for is_status c stopped
	run cryorun start c
	assert_status 1
	assert_has "cannot start a container that has stopped"
}

@test "the pid file holds the id of the init, and its parent is whoever reaps us" {
	bundle c
	create c --pid-file "$TEST_DIR/c/pid"
	assert_equal "$(cat "$TEST_DIR/c/pid")" "$(init_of c)"
}

@test "a name can be taken once" {
	bundle c
	create c
	run create c
	assert_status 1
	file_has "$TEST_DIR/c/out" "container with id exists"
	assert_equal "$(status_of c)" created
}

@test "a bad name is refused" {
	bundle c
	for name in a/b .. . '' 'a b'; do
		run cryorun create --bundle "$TEST_DIR/c" "$name"
		assert_status 1
		assert_has "invalid container ID format"
	done
}

@test "a program that is not there fails the creation and leaves nothing" {
	bundle c '.process.args = ["no-such-thing"]'
	run cryorun create --bundle "$TEST_DIR/c" c
	assert_status 1
	assert_has 'exec: "no-such-thing": executable file not found in $PATH'
	bundle c '.process.args = ["/etc/passwd"]'
	run cryorun create --bundle "$TEST_DIR/c" c
	assert_status 1
	assert_has 'exec: "/etc/passwd": Permission denied'
	run cryorun state c
	assert_status 1
	assert_has "container does not exist"
}

@test "with --log the error is a JSON line there" {
	bundle c '.process.cwd = 5'
	run cryorun --log "$TEST_DIR/c/log" --log-format json create --bundle "$TEST_DIR/c" c
	assert_status 1
	assert_equal "$(jq -r .level "$TEST_DIR/c/log")" error
	assert_equal "$(jq -r .msg "$TEST_DIR/c/log" | grep -c 'process.cwd: expected a string, found a number')" 1
	jq -e .time "$TEST_DIR/c/log"
}

@test "SIGKILL at any moment of a creation leaves nothing that delete --force does not remove" {
	bundle c
	for delay in 0.001 0.002 0.003 0.004 0.005 0.006 0.008 0.010 0.012 0.014; do
		"$CRYORUN" --root "$TEST_DIR/runtime" create --bundle "$TEST_DIR/c" c </dev/null \
			>/dev/null 2>&1 3>&- &
		maker=$!
		sleep "$delay"
		kill -KILL "$maker" 2>/dev/null || true
		wait "$maker" || true
		cryorun delete --force c
		[ ! -e "$TEST_DIR/runtime/c" ]
	done
}

@test "nobody in a container can write to the runtime's own file" {
	bundle c
	create c
	# It runs, so an ordinary file would say "Text file busy": the mount itself is read-only.
	run bash -c ": >/proc/$(init_of c)/exe"
	assert_has "Read-only file system"
	# The classic way: the image's program is the runtime.
	bundle c2 '.process.args = ["/proc/self/exe", "--version"]'
	create c2 || true
	before=$(sha256sum <"$CRYORUN")
	run cryorun start c2
	wait_for is_status c2 stopped
	assert_equal "$(sha256sum <"$CRYORUN")" "$before"
}
