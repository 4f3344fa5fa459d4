load fault

# Some forty restores fail in one test.
export BATS_TEST_TIMEOUT=300

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

images() { find "$TEST_DIR/root" -type d -name checkpoint -path '*/userdata/*'; }

# The restore fails with exit code 125 and an error of ours, and leaves nothing.
must_fail() { # what
	local mounts
	# What the last command left to end in the background has ended.
	wait_for no_leftover_processes
	mounts=$(leftover_mounts | sort)
	run cryopod container restore looper
	[ "$status" = 125 ] || fail "$1: exit code $status:" "$output"
	[[ $output == *Error:* ]] || fail "$1: no word of error:" "$output"
	[ "$(wc -l <<<"$output")" -le 4 ] || fail "$1: an error should be short:" "$output"
	assert_equal "$(state_of looper)" exited "$1: state"
	wait_for no_leftover_processes || fail "$1: processes are left: $(leftover_processes)"
	assert_equal "$(leftover_mounts | sort)" "$mounts" "$1: mounts"
	[ -z "$(all_cgroups | grep -F "$(cryopod ps -aq --no-trunc)")" ] || fail "$1: a cgroup is left"
	[ -z "$(leftover_netns)" ] || fail "$1: network namespaces are left"
}

@test "each image file missing, empty, cut: the restore fails whole and can be repeated" {
	local dir file name n=0
	start_looper looper 0.1
	cryopod container checkpoint looper
	dir=$(images)
	[ -n "$dir" ] || fail "no images"
	cp -a "$dir" "$TEST_DIR/kept"
	for file in "$dir"/*.img; do
		name=$(basename "$file")
		# Not every image is needed by every container; those of the tree itself are.
		case $name in inventory.img | pstree.img | core-* | mm-* | pagemap-* | pages-* | files.img | fdinfo-* | ids-* | fs-*) ;; *) continue ;; esac
		rm "$file"
		must_fail "$name missing"
		: >"$file"
		must_fail "$name empty"
		head -c $(($(stat -c %s "$TEST_DIR/kept/$name") / 2)) "$TEST_DIR/kept/$name" >"$file"
		must_fail "$name cut"
		cp -a "$TEST_DIR/kept/$name" "$file"
		n=$((n + 1))
	done
	[ $n -ge 8 ] || fail "only $n images were tried"
	cryopod container restore looper
	grows looper
	cryopod logs looper >"$TEST_DIR/log"
	assert_sequence "$TEST_DIR/log"
}

@test "each image with a wrong magic number or garbage behind it is refused" {
	local dir file name
	start_looper looper 0.1
	cryopod container checkpoint looper
	dir=$(images)
	cp -a "$dir" "$TEST_DIR/kept2"
	for file in "$dir"/{inventory,pstree,files}.img "$dir"/{core,mm,pagemap}-*.img; do
		[ -e "$file" ] || continue
		name=$(basename "$file")
		printf 'XXXX' | dd of="$file" conv=notrunc status=none
		must_fail "$name: wrong magic"
		cp -a "$TEST_DIR/kept2/$name" "$file"
		printf '\377\377\377\177' | dd of="$file" bs=1 seek=8 conv=notrunc status=none
		must_fail "$name: a record of 2 GiB"
		cp -a "$TEST_DIR/kept2/$name" "$file"
	done
	cryopod container restore looper
	grows looper
}

@test "a process id that is taken: the restore says which, and works when it is free" {
	local place pid
	place=$(helper place)
	setsid sh -c 'while true; do sleep 0.01; done' "$TEST_DIR" </dev/null >/dev/null 2>&1 3>&- &
	pid=$!
	mkdir "$TEST_DIR/bare"
	cryo dump -t "$pid" -D "$TEST_DIR/bare"
	wait_for test ! -e "/proc/$pid"
	run "$place" "$pid" "$CRYO" restore -D "$TEST_DIR/bare" -d
	[ "$status" != 0 ] && [ "$status" != 3 ] || fail "exit code $status:" "$output"
	assert_has "$pid"
	wait_for test ! -e "/proc/$pid"
	assert_nothing_left
	cryo restore -D "$TEST_DIR/bare" -d --pidfile "$TEST_DIR/bare.id"
	assert_equal "$(cat "$TEST_DIR/bare.id")" "$pid" "pid"
	nobody_stopped "$pid"
	kill -KILL "$pid"
}
