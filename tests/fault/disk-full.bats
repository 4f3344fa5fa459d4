load fault

# The store lies on a small disk that can be filled.
setup_file() {
	test_begin
	mount -t tmpfs -o size=32m cryopod-test "$TEST_DIR/root"
	test_image
}
teardown_file() {
	remove_containers
	test_end
}

fill() { # BYTES: all but so many
	local free
	free=$(($(stat -f -c '%a * %S' "$TEST_DIR/root")))
	head -c $((free - $1)) /dev/zero >"$TEST_DIR/root/.fill"
}

@test "a dump that does not fit: the container runs on, and is dumped when there is room" {
	local pid
	# 12 MiB of memory that is not zero, in a shell variable.
	cryopod run -d --name big --network none "$IMAGE" /bin/sh -c '
		a=$(head -c 12000000 /dev/zero | tr "\000" x); i=0
		while true; do echo $i; i=$(expr $i + 1); sleep 0.1; done' >/dev/null
	wait_for log_lines big 2
	pid=$(tasks_of big)
	for room in 0 4096 100000 1000000 5000000; do
		fill $room
		run cryopod container checkpoint big
		rm "$TEST_DIR/root/.fill"
		assert_status 125
		[[ $output == *"No space left on device"* || $output == *"disk is full"* ]] || fail "$output"
		[ "$(state_of big)" = running ] || fail "room of $room: state $(state_of big)"
		assert_equal "$(tasks_of big)" "$pid" "pid"
		nobody_stopped "$pid" || fail "room of $room: a task is stopped"
		grows big
	done
	cryopod container checkpoint big
	fill 0
	# A restore with a full disk may need room or not, but it must not do harm.
	run cryopod container restore big
	rm "$TEST_DIR/root/.fill"
	if [ "$status" != 0 ]; then
		assert_equal "$(state_of big)" exited "state after a failed restore"
		cryopod container restore big
	fi
	grows big
	cryopod logs big >"$TEST_DIR/log"
	assert_sequence "$TEST_DIR/log"
}
