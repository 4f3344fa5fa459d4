load bundle
setup_file() { test_begin; bundles_begin; }
teardown_file() { test_end; }
teardown() { containers_end; }

@test "delete refuses what runs, removes what is stopped or only created" {
	bundle c
	create c
	cryorun start c
	run cryorun delete c
	assert_status 1
	assert_has "not stopped"
	assert_equal "$(status_of c)" running
	cryorun kill c KILL
	wait_for is_status c stopped
	cryorun delete c
	create c
	cryorun delete c
	run cryorun delete c
	assert_status 1
	assert_has "container does not exist"
}

@test "delete --force is harmless where nothing is" {
	cryorun delete --force nothing
	"$CRYORUN" --root "$TEST_DIR/none" delete --force nothing
	[ ! -e "$TEST_DIR/none" ]
}

@test "delete --force kills all, also without a PID namespace" {
	script_bundle c 'sleep 1000 & sleep 1001 & echo up; wait' \
		'.linux.namespaces |= map(select(.type != "pid"))' 'del(.mounts[0])' \
		'.linux.maskedPaths = []' '.linux.readonlyPaths = []'
	create c
	cryorun start c
	wait_for file_has "$TEST_DIR/c/out" up
	pids=$(cryorun ps --format json c | jq '.[]')
	assert_equal "$(wc -w <<<"$pids")" 3
	cryorun delete --force c
	for pid in $pids; do wait_for process_gone "$pid"; done
}

@test "kill sends by name and number, --all reaches every process" {
	script_bundle c 'trap "echo term" TERM; trap "echo usr" USR1; echo up
		while :; do sleep 0.02; done'
	create c
	cryorun start c
	wait_for file_has "$TEST_DIR/c/out" up
	cryorun kill c
	wait_for file_has "$TEST_DIR/c/out" term
	cryorun kill c SIGUSR1
	wait_for file_has "$TEST_DIR/c/out" usr
	run cryorun kill c NONSENSE
	assert_status 1
	assert_has 'unknown signal "NONSENSE"'
	cryorun kill --all c 9
	wait_for is_status c stopped
	run cryorun kill c 9
	assert_status 1
	assert_has "container not running"
}

@test "a state file whose groups are not the container's is no weapon" {
	bundle c
	create c
	sleep 1000 3>&- &
	bystander=$!
	path=/${TEST_DIR##*/}-bystander
	group=/sys/fs/cgroup/pids$path
	[ -d /sys/fs/cgroup/pids ] || group=/sys/fs/cgroup$path
	mkdir "$group"
	echo "$bystander" >"$group/cgroup.procs"
	cp "$TEST_DIR/runtime/c/state.json" "$TEST_DIR/state.json"
	for path in "$path" / "" "$(dirname "$(group_of c)")"; do
		jq --arg p "$path" '.cgroup.path = $p' "$TEST_DIR/state.json" >"$TEST_DIR/runtime/c/state.json"
		run cryorun kill --all c 9
		run cryorun pause c
		assert_status 1
		kill -0 "$bystander"
	done
	cp "$TEST_DIR/state.json" "$TEST_DIR/runtime/c/state.json"
	kill "$bystander"
	wait "$bystander" || true
	wait_for rmdir "$group"
}

@test "list: table, names, JSON" {
	bundle one
	bundle two
	run cryorun list --format json
	assert_equal "$output" null
	create one
	create two
	cryorun start two
	run cryorun list -q
	assert_equal "$output" "$(printf 'one\ntwo')"
	run cryorun list --format json
	assert_equal "$(jq -r '.[1].status' <<<"$output")" running
	run cryorun list
	[[ ${lines[0]} == ID*PID*STATUS*BUNDLE*CREATED*OWNER ]]
	[[ ${lines[1]} == one*created* ]]
}

@test "every command has its --help" {
	for command in $("$CRYORUN" --help | sed -n '/^Commands:/,/^$/p' | awk 'NF && !/:$/ { print $1 }'); do
		run cryorun "$command" --help
		assert_status 0
		assert_has "Usage:"
	done
	run cryorun nonsense
	assert_status 1
	run cryorun --version
	assert_has "cryorun version"
	run cryorun features
	jq -e '.linux.seccomp.enabled' <<<"$output"
}
