#!/usr/bin/env bats
# cryopod mount and unmount: the root as a folder
# shellcheck disable=SC2016 # programs for the shell of a container
load ../../lib/setup
setup_file()    { test_begin; test_image; }
teardown_file() { test_end; }
teardown()      { remove_containers; assert_nothing_left; }

@test "mount prints the path of a writable root over the image" {
	cryopod create --name c1 "$IMAGE" cat /made-outside >/dev/null
	run -0 cryopod mount c1
	root=$output
	[ -x "$root/bin/busybox" ]
	echo from outside >"$root/made-outside"
	run -0 cryopod mount
	assert_has "$root"
	run -0 cryopod unmount c1
	assert_equal "$output" c1
	[ ! -e "$root/made-outside" ]
	run -0 cryopod start -a c1
	assert_equal "$output" "from outside"
}

@test "mounting twice is one mount; umount is the same as unmount" {
	cryopod create --name c1 "$IMAGE" true >/dev/null
	first=$(cryopod mount c1)
	assert_equal "$(cryopod container mount c1)" "$first"
	assert_equal "$(grep -c " $first " /proc/self/mountinfo)" 1 mounts
	run -0 cryopod umount c1
	assert_equal "$(grep -c " $first " /proc/self/mountinfo)" 0 mounts
	run -0 cryopod unmount c1
}

@test "the user's mount outlives the container's run" {
	cryopod create --name c1 "$IMAGE" touch /done >/dev/null
	root=$(cryopod mount c1)
	run -0 cryopod start -a c1
	[ -e "$root/done" ]
	cryopod unmount c1
}

@test "several containers are mounted with their ids" {
	cryopod create --name c1 "$IMAGE" true >/dev/null
	cryopod create --name c2 "$IMAGE" true >/dev/null
	run -0 cryopod mount c1 c2
	assert_equal "${#lines[@]}" 2 lines
	[[ ${lines[0]} =~ ^[0-9a-f]{12}\ / ]]
	run -0 cryopod unmount -a
	assert_equal "${#lines[@]}" 2 lines
}

@test "a running container's root is not taken away" {
	cryopod run -d --name c1 "$IMAGE" sleep 100 >/dev/null
	run -125 cryopod unmount c1
	assert_has "is running or paused, cannot unmount"
	run -0 cryopod exec c1 ls /bin/busybox
}

@test "unknown containers" {
	run -125 cryopod mount nope
	assert_has 'no container with name or ID "nope" found: no such container'
	run -125 cryopod unmount
	assert_has "you must provide at least one name or id"
}
