#!/usr/bin/env bats
# cryopod ps: tables, templates, filters
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

@test "only running ones, all with -a, the last with -l" {
	cryopod create --name c1 "$IMAGE" true >/dev/null
	cryopod run -d --name c2 "$IMAGE" sleep 100 >/dev/null
	run -0 cryopod ps
	assert_equal "${#lines[@]}" 2 lines
	assert_has c2
	assert_has "Up "
	run -0 cryopod ps -a --noheading
	assert_equal "${#lines[@]}" 2 lines
	assert_has Created
	run -0 cryopod ps -lq --no-trunc
	assert_equal "$output" "$(cryopod inspect --format '{{.Id}}' c2)"
	run -0 cryopod container list -aq
	assert_equal "${#lines[@]}" 2 lines
}

@test "an end is seen without anybody writing it down" {
	cryopod run --name c1 "$IMAGE" sh -c 'exit 4' || true
	run -0 cryopod ps -a --format '{{.Status}}'
	assert_has "Exited (4)"
}

@test "templates, json and filters" {
	cryopod create --name c1 --label kind=x "$IMAGE" sleep 1 >/dev/null
	cryopod create --name c2 "$IMAGE" sleep 2 >/dev/null
	run -0 cryopod ps -a --format '{{.Names}}/{{.State}}/{{.Command}}'
	assert_equal "${lines[0]}" "c1/created/sleep 1"
	run -0 cryopod ps -a --format json
	assert_equal "$(jq -r '.[1].Names[0]' <<<"$output")" c2
	run -0 cryopod ps -a --filter label=kind=x --format '{{.Names}}'
	assert_equal "$output" c1
	run -0 cryopod ps --filter status=created -q
	assert_equal "${#lines[@]}" 2 lines
	run -125 cryopod ps --filter frob=1
	assert_has "frob is an invalid filter"
	run -125 cryopod ps --format '{{.Nope}}' -a
	assert_has "can't evaluate field Nope"
	run -125 cryopod ps x
	assert_has "takes no arguments"
}
