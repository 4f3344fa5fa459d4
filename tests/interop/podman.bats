# Podman with cryorun as its OCI runtime: who knows nothing of us drives the whole life.
load ../lib/setup

setup_file() {
	test_begin
	command -v "${PODMAN:-podman}" >/dev/null || return 0 # setup tells it
	mkdir "$TEST_DIR/tmp"
	# Hard limits can't be raised everywhere, and the defaults want to.
	cat >"$TEST_DIR/containers.conf" <<-END
		[engine]
		runtime = "cryorun"
		cgroup_manager = "cgroupfs"
		events_logger = "none"
		runtime_supports_json = ["cryorun"]
		[engine.runtimes]
		cryorun = ["$(readlink -f "$CRYORUN")"]
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
	END
	podman_here import "$(busybox_tar)" busybox >/dev/null 2>&1
}

teardown_file() { test_end; }

setup() {
	need command -v "${PODMAN:-podman}" -- "podman is not installed"
	need command -v criu -- "criu is not installed: podman asks for its version"
}

teardown() {
	command -v "${PODMAN:-podman}" >/dev/null || return 0
	podman_here rm -a -f -t 0 >/dev/null 2>&1
	podman_here volume rm -a -f >/dev/null 2>&1
	# Podman leaves the groups it made for its helpers.
	find /sys/fs/cgroup -depth -type d -path "*/${TEST_DIR##*/}*" -exec rmdir {} + 2>/dev/null || true
	umount "$TEST_DIR/root/overlay" 2>/dev/null || true
	assert_nothing_left
}

podman_here() {
	CONTAINERS_CONF=$TEST_DIR/containers.conf "${PODMAN:-podman}" --root "$TEST_DIR/root" \
		--runroot "$TEST_DIR/run" --tmpdir "$TEST_DIR/tmp" --storage-driver overlay "$@" 3>&-
}

run_here() { podman_here run --network none --cgroup-parent "/${TEST_DIR##*/}" "$@"; }

LOOP='i=0; while :; do echo $i; i=$((i + 1)); sleep 0.1; done'

lines_at_least() { [ "$(podman_here logs "$1" | wc -l)" -ge "$2" ]; }
goes_on() { wait_for lines_at_least "$1" $(($(podman_here logs "$1" | wc -l) + 3)); }

@test "podman run: exit code, user, mounts, limits, seccomp" {
	run run_here --rm --user 1000:100 --tmpfs /t --read-only --memory 50m --pids-limit 20 busybox \
		sh -c 'id -u; grep Seccomp: /proc/self/status; touch /t/x && echo made; touch /x; exit 7'
	assert_status 7
	assert_has 1000
	assert_has "Seccomp:	2"
	assert_has "made"
	assert_has "Read-only file system"
	run -127 run_here --rm busybox no-such-thing
	run run_here --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 busybox cat /proc/self/uid_map
	assert_status 0
	assert_has 100000
}

@test "podman exec, pause, stop" {
	run_here -d --name c busybox sleep 1000
	run podman_here exec c sh -c 'echo in; exit 5'
	assert_status 5
	assert_has in
	podman_here pause c
	assert_equal "$(podman_here inspect --format '{{.State.Status}}' c)" paused
	podman_here unpause c
	podman_here stop -t 0 c
	assert_equal "$(podman_here inspect --format '{{.State.Status}}' c)" exited
}

@test "podman container checkpoint and restore: the log goes on" {
	run_here -d --name c -v data:/data busybox sh -c "$LOOP"
	wait_for lines_at_least c 3
	for _ in 1 2; do
		podman_here container checkpoint c
		assert_equal "$(podman_here inspect --format '{{.State.Status}}' c)" exited
		run podman_here container restore --print-stats c
		assert_status 0
		assert_has "runtime_restore_duration"
		goes_on c
	done
	podman_here stop -t 0 c
	podman_here logs c >"$TEST_DIR/log"
	assert_sequence "$TEST_DIR/log"
}

@test "podman container checkpoint --export and restore --import" {
	run_here -d --name c busybox sh -c "$LOOP"
	wait_for lines_at_least c 3
	podman_here container checkpoint --export "$TEST_DIR/c.tar.zst" c
	podman_here rm c
	podman_here container restore --import "$TEST_DIR/c.tar.zst"
	goes_on c
	podman_here stop -t 0 c
	podman_here logs c >"$TEST_DIR/log"
	assert_sequence "$TEST_DIR/log"
}
