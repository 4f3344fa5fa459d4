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

strike_rounds() { # WHOM ROUNDS
	local strike took start pid mounts struck=0 done_before=0
	strike=$(helper strike)
	start_looper looper 0.1
	start=${EPOCHREALTIME/./}
	cryopod container checkpoint looper >/dev/null
	took=$((${EPOCHREALTIME/./} - start))
	cryopod container restore looper >/dev/null
	inventory >"$TEST_DIR/before"
	mounts=$(leftover_mounts | sort)
	for round in $(seq "$2"); do
		pid=$(tasks_of looper)
		run "$strike" "$1" "$(random $took)" \
			"$CRYOPOD" --root "$TEST_DIR/root" --runroot "$TEST_DIR/run" container checkpoint looper
		assert_status 0
		[[ $output != *struck\ * ]] || struck=$((struck + 1))
		if [ "$(state_of looper)" = exited ]; then
			# It was complete by then: the images must be whole.
			done_before=$((done_before + 1))
			cryopod container restore looper >/dev/null || fail "round $round ($output): a finished checkpoint can't be restored"
		else
			assert_equal "$(tasks_of looper)" "$pid" "round $round ($output): pid"
			wait_for nobody_stopped "$pid" || fail "round $round ($output): a task is stopped or traced"
		fi
		grows looper || fail "round $round ($output): the container stands still"
	done
	echo "$struck struck, $done_before were complete"
	[ "$struck" -ge $(($2 / 2)) ] || fail "only $struck of $2 were struck: the moments are badly chosen"
	cryopod container checkpoint looper >/dev/null || fail "the next checkpoint"
	cryopod container restore looper >/dev/null || fail "the next restore"
	grows looper
	inventory | diff "$TEST_DIR/before" - || fail "files are left, or gone"
	assert_equal "$(leftover_mounts | sort)" "$mounts" "mounts"
	cryopod logs looper >"$TEST_DIR/log"
	assert_sequence "$TEST_DIR/log"
}

@test "SIGKILL to the whole group at 40 random moments of a checkpoint" { strike_rounds group 40; }
@test "SIGKILL to cryopod at 30 random moments of a checkpoint" { strike_rounds first 30; }
@test "SIGKILL to the deepest task at 30 random moments of a checkpoint" { strike_rounds last 30; }
