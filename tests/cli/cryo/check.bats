# cryo check: obstacles are listed, and nothing is touched.

load ../../lib/setup

setup_file() { test_begin; }
teardown_file() { test_end; }
teardown() {
	leftovers_remove
	assert_nothing_left
}

@test "this machine" {
	run cryo check
	assert_status 0
}

@test "features by CRIU's names: there, not there, unknown" {
	run cryo check --feature mnt_id
	assert_status 0
	run cryo check --no-default-config -verbosity=0 --feature uffd
	assert_status 1
	assert_has "'uffd' is not there"
	run cryo check --feature time_machine
	assert_status 1
	assert_has "unknown feature"
}

@test "each obstacle of a tree is listed with its task and descriptor" {
	setsid python3 -c '
import ctypes, os, time
def userfaultfd():
    return ctypes.CDLL(None).syscall(323, 0o2000000)
a = userfaultfd()
pid = os.fork()
if not pid:
    b = userfaultfd()
    os.close(a)
    print("child", os.getpid(), b, flush=True)
    time.sleep(1000)
print("ready", a, flush=True)
time.sleep(1000)' </dev/null >"$TEST_DIR/out" 2>&1 3>&- &
	pid=$!
	wait_for file_has "$TEST_DIR/out" ready
	wait_for file_has "$TEST_DIR/out" child
	run cryo check -t "$pid"
	assert_status 1
	assert_has "task $pid: fd $(sed -n 's/ready //p' "$TEST_DIR/out"): userfaultfd"
	read -r _ child fd < <(grep child "$TEST_DIR/out")
	assert_has "task $child: fd $fd: userfaultfd"
	assert_has "2 obstacles"
	grep -q '^TracerPid:.0' "/proc/$pid/status"
	mkdir "$TEST_DIR/refused"
	run cryo dump -t "$pid" -D "$TEST_DIR/refused"
	assert_status 1
	assert_has "hint: 1 more such obstacles: 'cryo check -t $pid' lists them"
}

leads_session() { [ "$(ps -o sid= -p "$1" | tr -d ' ')" = "$1" ]; }

@test "nothing in the way" {
	setsid sleep 1000 </dev/null >/dev/null 2>&1 3>&- &
	wait_for leads_session $!
	run cryo check -t $!
	assert_status 0
	assert_has "Nothing stands in the way"
}

@test "no such tree" {
	run cryo check -t 4194303
	assert_status 1
	assert_has "4194303"
}
