load bundle
setup_file() { test_begin; bundles_begin; }
teardown_file() { test_end; }
setup() {
	# Without a cgroup namespace both sides see the same path.
	bundle c '.process.user = {uid: 1000, gid: 100}' \
		'.linux.namespaces |= map(select(.type != "cgroup"))'
	create c
	cryorun start c
}
teardown() { containers_end; }

@test "exec runs in the container's namespaces and groups, and returns the exit code" {
	run cryorun exec c sh -c 'readlink /proc/self/ns/pid; readlink /proc/self/ns/mnt; exit 9'
	assert_status 9
	init=$(init_of c)
	assert_equal "$output" "$(readlink "/proc/$init/ns/pid" "/proc/$init/ns/mnt")"
	run cryorun exec c cat /proc/self/cgroup
	assert_equal "$output" "$(cat "/proc/$init/cgroup")"
}

@test "exec takes user, folder, environment, groups and capabilities" {
	run cryorun exec --user 7:8 --cwd /tmp -e A=b -g 9 c sh -c 'id -u; id -g; id -G; pwd; echo $A'
	assert_status 0
	assert_equal "$output" "$(printf '7\n8\n8 9\n/tmp\nb')"
	run cryorun exec --user 0 --cap CAP_SYS_ADMIN c grep CapEff /proc/self/status
	assert_has "200420"
	run cryorun exec c id -u
	assert_equal "$output" 1000
}

@test "exec of a process.json" {
	jq .process "$TEST_DIR/c/config.json" | jq '.args = ["echo", "hi"]' >"$TEST_DIR/p.json"
	run cryorun exec --process "$TEST_DIR/p.json" c
	assert_status 0
	assert_equal "$output" hi
}

@test "exec detached writes the pid file, the process lives on" {
	cryorun exec --detach --pid-file "$TEST_DIR/pid" c sleep 1000 </dev/null >/dev/null 2>&1
	pid=$(cat "$TEST_DIR/pid")
	assert_equal "$(readlink "/proc/$pid/ns/mnt")" "$(readlink "/proc/$(init_of c)/ns/mnt")"
	run cryorun ps --format json c
	assert_equal "$(jq 'length' <<<"$output")" 2
	run cryorun ps c
	assert_equal "$(wc -l <<<"$output")" 3
}

@test "exec with a terminal" {
	run script -qec "$CRYORUN --root $TEST_DIR/runtime exec -t c sh -c 'tty; exit 6'" /dev/null
	assert_status 6
	assert_has /dev/pts/0
}

@test "exec fails with 255 and a reason" {
	run cryorun exec c no-such-thing
	assert_status 255
	assert_has 'exec: "no-such-thing": executable file not found in $PATH'
	run cryorun exec nobody true
	assert_status 255
	assert_has "container does not exist"
	cryorun kill c KILL
	wait_for is_status c stopped
	run cryorun exec c true
	assert_status 255
	assert_has "cannot exec in a stopped container"
}

@test "pause stops all, exec is refused then, resume lets go on" {
	cryorun pause c
	assert_equal "$(status_of c)" paused
	run cryorun exec c true
	assert_status 255
	assert_has "cannot exec in a paused container"
	run cryorun pause c
	assert_status 1
	cryorun resume c
	assert_equal "$(status_of c)" running
	run cryorun resume c
	assert_status 1
	assert_has "container not paused"
}

@test "a paused container can be killed and deleted" {
	cryorun pause c
	cryorun delete --force c
	run cryorun state c
	assert_status 1
}

@test "update changes limits, events tells them" {
	cryorun update --pids-limit 55 --memory 64000000 c
	run cryorun events --stats c
	assert_status 0
	assert_equal "$(jq -c '[.type, .id, .data.pids.limit]' <<<"$output")" '["stats","c",55]'
	limit=$(jq .data.memory.usage.limit <<<"$output")
	[ "$limit" -gt 63990000 ] && [ "$limit" -le 64000000 ]
	echo '{"pids": {"limit": 66}}' | cryorun update --resources - c
	assert_equal "$(cryorun events --stats c | jq .data.pids.limit)" 66
	run cryorun update --memory lots c
	assert_status 1
	assert_has "invalid value for memory: 'lots'"
}
