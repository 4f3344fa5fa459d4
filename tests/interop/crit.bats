load ../lib/setup

setup_file() {
	test_begin
	test_image
}
teardown_file() { test_end; }
teardown() {
	remove_containers
	leftovers_remove
	assert_nothing_left
}

# Each image but the raw pages is decoded by Debian's crit, and encodes back to the same records.
decodes() { # FOLDER
	local image n=0
	for image in "$1"/*.img "$1"/stats-dump; do
		case $image in */pages-*) continue ;; esac
		crit decode -i "$image" -o "$TEST_DIR/decoded" 2>"$TEST_DIR/said" || fail "crit: $image:" "$(cat "$TEST_DIR/said")"
		jq -e '.magic and (.entries | type == "array")' "$TEST_DIR/decoded" >/dev/null || fail "$image: no records"
		n=$((n + 1))
	done
	[ $n -ge 8 ] || fail "only $n images in $1"
}

@test "crit decodes every image of a process tree with files, pipes, signals and timers" {
	local program pid
	for program in file-position pipe-pipeline signal-pending timer-interval task-tree cred-capabilities seccomp-filter; do
		gcc -std=gnu17 -D_GNU_SOURCE -O1 -o "$TEST_DIR/$program" "$TOP/tests/live/$program.c" -lpthread
		: >"$TEST_DIR/out"
		setsid "$TEST_DIR/$program" </dev/null >>"$TEST_DIR/out" 2>&1 3>&- &
		pid=$!
		wait_for file_has "$TEST_DIR/out" ready
		mkdir "$TEST_DIR/img-$program"
		cryo dump -t "$pid" -D "$TEST_DIR/img-$program"
		decodes "$TEST_DIR/img-$program"
	done
}

@test "crit decodes every image of a container" {
	cryopod run -d --name c --network none "$IMAGE" /bin/sh -c 'while true; do echo x; sleep 0.1; done'
	wait_for log_has c x
	cryopod container checkpoint --keep c
	cp -a "$(find "$TEST_DIR/root" -type d -name checkpoint -path '*/userdata/*')" "$TEST_DIR/images"
	find "$TEST_DIR/root" -name stats-dump -exec cp {} "$TEST_DIR/images/" \;
	decodes "$TEST_DIR/images"
}
