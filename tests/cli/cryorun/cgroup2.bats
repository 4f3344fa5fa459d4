load bundle
setup_file() { test_begin; bundles_begin; }
teardown_file() { test_end; }
teardown() { containers_end; }

# Runs a script where cgroup2 is all there is. On hybrid machines it has no controllers, so
# limits can't be set there, but groups, freezing and device rules are complete.
pure_v2() {
	[ -e /sys/fs/cgroup/cgroup.controllers ] && { bash -eu -c "$1"; return; }
	unshare --mount bash -eu -c "mount --make-rprivate /
		umount -R /sys/fs/cgroup
		mount -t cgroup2 none /sys/fs/cgroup
		$1"
}

@test "pure cgroup2: life of a container, frozen and thawed" {
	bundle c
	run pure_v2 "
		cr() { '$CRYORUN' --root '$TEST_DIR/runtime' \"\$@\" 3>&-; }
		cr run --detach --bundle '$TEST_DIR/c' c </dev/null >/dev/null 2>&1
		cr exec c cat /proc/self/cgroup
		cr pause c
		cr state c | jq -r .status
		cat '/sys/fs/cgroup$(group_of c)/cgroup.events'
		cr resume c
		cr exec c mount
		cr kill --all c KILL
		cr delete --force c
		[ ! -e '/sys/fs/cgroup$(group_of c)' ] && echo gone"
	assert_status 0
	assert_has "0::/"
	assert_has "paused"
	assert_has "frozen 1"
	assert_has "cgroup on /sys/fs/cgroup type cgroup2"
	assert_has "gone"
}

@test "pure cgroup2: device rules are an eBPF program" {
	need sh -c 'grep -q CONFIG_CGROUP_BPF=y /boot/config-* || zgrep -q CONFIG_CGROUP_BPF=y /proc/config.gz || [ -e /sys/fs/bpf ]' -- "no eBPF for cgroups"
	script_bundle c 'mknod /dev/shm/kmsg c 1 11; head -c 1 /dev/shm/kmsg; mknod /dev/shm/z c 1 5
		head -c 4 /dev/shm/z | wc -c; mknod /dev/shm/tun c 10 200; : </dev/shm/tun && echo tun read
		: >/dev/shm/tun && echo tun written' \
		'.process.capabilities[] += ["CAP_MKNOD"]' \
		'(.mounts[] | select(.destination == "/dev/shm")).options -= ["nodev"]' \
		'.linux.resources.devices = [{allow: false, access: "rwm"},
			{allow: true, type: "c", major: 10, minor: 200, access: "r"}]'
	run pure_v2 "'$CRYORUN' --root '$TEST_DIR/runtime' run --bundle '$TEST_DIR/c' c </dev/null 2>&1 3>&-"
	assert_has "head: /dev/shm/kmsg: Operation not permitted"
	assert_has 4
	assert_has "can't create /dev/shm/tun: Operation not permitted"
}

@test "pure cgroup2: a limit without its controller is refused by name" {
	need sh -c '! [ -e /sys/fs/cgroup/cgroup.controllers ]' -- "this machine has the controllers"
	bundle c '.linux.resources.pids = {limit: 9}'
	run pure_v2 "'$CRYORUN' --root '$TEST_DIR/runtime' run --bundle '$TEST_DIR/c' c </dev/null 2>&1 3>&-"
	assert_status 1
	assert_has "pids.limit: this kernel's cgroups have no 'pids.max'"
}
