load fault

setup_file() {
	test_begin
	test_image
}
teardown_file() { test_end; }
teardown() {
	remove_containers
	assert_nothing_left
}

@test "50 checkpoints and restores in a row: the log is 0,1,2,..." {
	start_looper looper 0.1
	for round in $(seq 50); do
		cryopod container checkpoint looper >/dev/null || fail "checkpoint $round"
		assert_equal "$(state_of looper)" exited "state after checkpoint $round"
		cryopod container restore looper >/dev/null || fail "restore $round"
		assert_equal "$(state_of looper)" running "state after restore $round"
	done
	grows looper
	cryopod logs looper >"$TEST_DIR/log"
	assert_sequence "$TEST_DIR/log"
}

@test "a pipeline of four, a background job, a trap and a half-read file go on" {
	seq 0 100000 | sed 's/^/line /' >"$TEST_DIR/data"
	cryopod run -d --name pipe --network none -v "$TEST_DIR/data:/data" "$IMAGE" /bin/sh -c '
		trap "echo trapped" USR1
		(while true; do echo beat >>/tmp/beats; sleep 0.05; done) &
		exec 5</data
		(i=0; while true; do echo $i; i=$((i + 1)); sleep 0.05; done) | cat | cat |
			while read n; do read l <&5; echo "$n $l"; done &
		while true; do wait; done' >/dev/null
	wait_for log_lines pipe 3
	for round in 1 2 3; do
		cryopod container checkpoint pipe
		cryopod container restore pipe
		grows pipe
		beats=$(cryopod exec pipe wc -l /tmp/beats | cut -d' ' -f1)
		cryopod kill -s USR1 pipe
		trapped() { [ "$(cryopod logs pipe | grep -c trapped)" = "$round" ]; }
		wait_for trapped
		more_beats() { [ "$(cryopod exec pipe wc -l /tmp/beats | cut -d' ' -f1)" -gt "$beats" ]; }
		wait_for more_beats
	done
	cryopod logs pipe | grep -v trapped >"$TEST_DIR/log"
	awk '$0 != (NR - 1) " line " (NR - 1) { print "line " NR ": " $0; exit 1 }' "$TEST_DIR/log"
}
