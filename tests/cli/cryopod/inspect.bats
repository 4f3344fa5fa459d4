#!/usr/bin/env bats
# cryopod inspect, rename, exists, diff, top, info
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

@test "inspect tells state, config, mounts" {
	cryopod create --name c1 --label a=b -e X=y -v "$TEST_DIR:/t:ro" "$IMAGE" sleep 5 >/dev/null
	run -0 cryopod inspect c1
	assert_equal "$(jq -r '.[0].Name' <<<"$output")" c1
	assert_equal "$(jq -r '.[0].Config.Labels.a' <<<"$output")" b
	assert_equal "$(jq -r '.[0].Config.Cmd | join(" ")' <<<"$output")" "sleep 5"
	assert_equal "$(jq -r '.[0].State.CheckpointedAt' <<<"$output")" 0001-01-01T00:00:00Z
	assert_equal "$(jq -r '.[0].Mounts[0].RW' <<<"$output")" false
	run -0 cryopod container inspect --format '{{.State.Status}}:{{.State.Running}}:{{.State.Paused}}' c1
	assert_equal "$output" created:false:false
	run -0 cryopod inspect --format '{{json .Config.Labels}} {{index .Config.Labels "a"}} {{len .Mounts}}' c1
	assert_equal "$output" '{"a":"b"} b 1'
	run -0 cryopod inspect -f '{{range .Mounts}}{{.Destination}};{{end}}' -l
	assert_equal "$output" "/t;"
}

@test "images too; unknown names" {
	run -0 cryopod inspect --format '{{index .RepoTags 0}}' "$IMAGE"
	assert_equal "$output" "$IMAGE"
	run -0 cryopod image inspect --format '{{.Os}}' "$IMAGE"
	assert_equal "$output" linux
	run -125 cryopod inspect nope
	assert_has 'inspecting object: no such object: "nope"'
	run -125 cryopod inspect
	assert_has "no names or ids specified"
	run -125 cryopod inspect -f '{{.State' "$IMAGE"
	assert_has "'{{' without '}}'"
	run -125 cryopod inspect -f '{{nonsense .State.Pid}}' "$IMAGE"
}

@test "rename" {
	cryopod create --name c1 "$IMAGE" true >/dev/null
	cryopod create --name c2 "$IMAGE" true >/dev/null
	run -0 cryopod rename c1 other
	run -0 cryopod container exists other
	run -1 cryopod container exists c1
	run -125 cryopod rename other c2
	assert_has 'name "c2" is in use'
	run -125 cryopod rename other 'a b'
	run -125 cryopod rename other
	assert_has "accepts 2 arg(s), received 1"
}

@test "diff: added, changed, deleted" {
	run -0 cryopod run --name c1 "$IMAGE" sh -c 'echo x >/etc/added; rm /etc/group'
	run -0 cryopod diff c1
	assert_equal "$output" "C /etc
A /etc/added
D /etc/group"
	cryopod create --name c2 "$IMAGE" true >/dev/null
	run -0 cryopod diff c2
	assert_equal "$output" ""
}

@test "top shows the container's processes" {
	cryopod run -d --name c1 "$IMAGE" sleep 123 >/dev/null
	run -0 cryopod top c1
	assert_has "sleep 123"
	cryopod stop -t 0 c1
	run -125 cryopod top c1
	assert_has "top can only be used on running containers"
}

@test "info and version" {
	run -0 cryopod info --format '{{.Host.OCIRuntime.Name}}'
	assert_equal "$output" cryorun
	run -0 cryopod info --format json
	assert_equal "$(jq -r .store.graphRoot <<<"$output")" "$TEST_DIR/root"
	run -0 cryopod version
	assert_has "Version:"
}
