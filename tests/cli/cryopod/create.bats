#!/usr/bin/env bats
# cryopod create: remembered, and nothing else
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

@test "create prints the id and mounts or starts nothing" {
	run -0 cryopod create --name c1 "$IMAGE" sleep 100
	[[ $output =~ ^[0-9a-f]{64}$ ]]
	[ ! -e "$TEST_DIR/root/containers/$output/merged" ]
	[ ! -e "$TEST_DIR/root/containers/$output/userdata/config.json" ]
	run -0 cryopod inspect --format '{{.State.Status}} {{.State.Pid}}' c1
	assert_equal "$output" "created 0"
}

@test "a name that is taken is refused and says by whom" {
	run -0 cryopod create --name c1 "$IMAGE" true
	id=$output
	run -125 cryopod create --name c1 "$IMAGE" true
	assert_has "the container name \"c1\" is already in use by $id"
	run -0 cryopod ps -aq
	assert_equal "${#lines[@]}" 1 containers
}

@test "--replace removes the one that has the name" {
	run -0 cryopod create --name c1 "$IMAGE" true
	old=$output
	run -0 cryopod create --name c1 --replace "$IMAGE" true
	[ "$output" != "$old" ]
	run -0 cryopod ps -aq
	assert_equal "${#lines[@]}" 1 containers
	run -125 cryopod create --replace "$IMAGE" true
	assert_has "cannot replace container without --name being set"
}

@test "two creates at once: one gets the name" {
	local pids=()
	for _ in 1 2 3 4 5 6; do
		cryopod create --name same "$IMAGE" true >/dev/null 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || true; done
	run -0 cryopod ps -aq
	assert_equal "${#lines[@]}" 1 containers
}

@test "generated names are two words and differ" {
	for _ in 1 2 3; do cryopod create "$IMAGE" true >/dev/null; done
	run -0 cryopod ps -a --format '{{.Names}}'
	assert_equal "$(printf '%s\n' "${lines[@]}" | sort -u | wc -l)" 3 names
	[[ ${lines[0]} =~ ^[a-z]+_[a-z]+$ ]]
}

@test "--cidfile gets the id, and is never overwritten" {
	run -0 cryopod create --cidfile "$TEST_DIR/cid" "$IMAGE" true
	assert_equal "$(cat "$TEST_DIR/cid")" "$output"
	run -125 cryopod create --name second --cidfile "$TEST_DIR/cid" "$IMAGE" true
	assert_has "container id file exists"
	run -1 cryopod container exists second
	rm "$TEST_DIR/cid"
}

@test "bad input is told in one line with exit code 125" {
	while IFS='|' read -r words text; do
		# shellcheck disable=SC2086 # the words of a command line
		run -125 cryopod create $words
		assert_has "$text"
		[ "${lines[0]#Error: }" != "${lines[0]}" ]
	done <<-EOF
		|requires at least 1 arg(s), only received 0
		--frob $IMAGE true|unknown flag: --frob
		--name bad/name $IMAGE true|names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*
		--cap-add nope $IMAGE true|"nope" is not a valid capability
		--network bridge $IMAGE true|network 'bridge' is not supported
		--pid container:x $IMAGE true|--pid=container:x is not supported
		--stop-signal FOO $IMAGE true|invalid signal: FOO
		--ulimit nofile $IMAGE true|ulimit option "nofile" requires name=SOFT:HARD
		--memory lots $IMAGE true|invalid size: 'lots'
		--tmpfs relative $IMAGE true|must be an absolute path
		-v a:b:c:d $IMAGE true|incorrect volume format
		-w relative $IMAGE true|it needs to be an absolute path
		--env-file /nonexistent $IMAGE true|/nonexistent
		--security-opt label=type:x $IMAGE true|--security-opt label=type:x is not supported
		no-such-image-at-all|no-such-image-at-all
	EOF
	run -0 cryopod ps -aq
	assert_equal "$output" "" containers
}
