load bundle
setup_file() { test_begin; bundles_begin; }
teardown_file() { test_end; }
teardown() { containers_end; }

in_container() { # SCRIPT [JQ-FILTER...]
	script_bundle c "$@"
	run cryorun run --bundle "$TEST_DIR/c" c
}

@test "the exit code is the program's, or 128 and its signal" {
	in_container 'exit 7'
	assert_status 7
	in_container 'kill -TERM $$'
	# The first process of a PID namespace ignores what it has no handler for.
	assert_status 0
	run cryorun list -q
	assert_equal "$output" ""
}

@test "a signal to cryorun run reaches the program" {
	script_bundle c 'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.02; done'
	"$CRYORUN" --root "$TEST_DIR/runtime" run --bundle "$TEST_DIR/c" c >"$TEST_DIR/c/out" 3>&- &
	pid=$!
	wait_for file_has "$TEST_DIR/c/out" ready
	kill -TERM "$pid"
	code=0
	wait "$pid" || code=$?
	assert_equal "$code" 3
	file_has "$TEST_DIR/c/out" "got it"
}

@test "user, groups, umask, folder and environment are those asked for" {
	in_container 'id -u; id -g; id -G; umask; pwd; echo $A $HOME' \
		'.process.user = {uid: 1000, gid: 100, additionalGids: [5, 77], umask: 63}' \
		'.process.cwd = "/tmp"' '.process.env += ["A=b"]'
	assert_status 0
	assert_equal "$output" "$(printf '1000\n100\n100 5 77\n0077\n/tmp\nb /home')"
}

@test "capabilities are exactly those given, also for a user who is not root" {
	in_container 'grep -E "^Cap(Prm|Eff|Bnd|Amb|Inh)" /proc/self/status' \
		'.process.capabilities = {bounding: ["CAP_KILL", "CAP_CHOWN"],
			effective: ["CAP_KILL"], permitted: ["CAP_KILL"], inheritable: ["CAP_KILL"],
			ambient: ["CAP_KILL"]}' '.process.user = {uid: 1000, gid: 100}'
	assert_status 0
	[[ $output == *"CapPrm:	0000000000000020"* ]]
	[[ $output == *"CapEff:	0000000000000020"* ]]
	[[ $output == *"CapBnd:	0000000000000021"* ]]
	[[ $output == *"CapAmb:	0000000000000020"* ]]
}

@test "without capabilities in config.json there are none" {
	in_container 'grep -E "^Cap(Prm|Eff|Bnd)" /proc/self/status' 'del(.process.capabilities)'
	assert_status 0
	[[ $output == *"CapPrm:	0000000000000000"* ]]
	[[ $output == *"CapBnd:	0000000000000000"* ]]
}

@test "limits, no_new_privs, oom_score_adj" {
	in_container 'ulimit -n; grep NoNewPrivs /proc/self/status; cat /proc/self/oom_score_adj' \
		'.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 111, hard: 222}]' \
		'.process.oomScoreAdj = 500'
	assert_status 0
	assert_equal "$output" "$(printf '111\nNoNewPrivs:\t1\n500')"
}

@test "the usual devices, links and mounts are there, masked and read-only paths are so" {
	in_container 'for d in null zero full random urandom tty; do [ -c /dev/$d ] || echo no $d; done
		readlink /dev/fd; readlink /dev/ptmx; echo x >/dev/null; cat /proc/timer_list | wc -c
		echo 1 >/proc/sys/kernel/hostname; ls /sys/firmware | wc -l; touch /x'
	assert_status 1
	assert_has "$(printf '/proc/self/fd\npts/ptmx')"
	assert_has "Read-only file system"
	assert_has_not "no "
}

@test "bind mounts: read-only, of a file, below a folder that is made" {
	mkdir -p "$TEST_DIR/data/sub"
	echo one >"$TEST_DIR/data/file"
	in_container 'cat /mnt/a/file /file; touch /mnt/a/file 2>&1; touch /rw/new && echo made' \
		".root.readonly = false" \
		".mounts += [{destination: \"/mnt/a\", type: \"bind\", source: \"$TEST_DIR/data\",
			options: [\"rbind\", \"ro\"]},
			{destination: \"/file\", source: \"$TEST_DIR/data/file\", options: [\"bind\"]},
			{destination: \"/rw\", source: \"../data\", options: [\"rbind\"]}]"
	assert_status 0
	assert_equal "$output" "$(printf 'one\none\ntouch: /mnt/a/file: Read-only file system\nmade')"
	[ -e "$TEST_DIR/data/new" ]
	rmdir "$TEST_DIR/rootfs/mnt/a" "$TEST_DIR/rootfs/mnt" "$TEST_DIR/rootfs/rw"
	rm "$TEST_DIR/rootfs/file"
}

@test "a symlink in the image can't lead a mount to the host" {
	mkdir -p "$TEST_DIR/outside" "$TEST_DIR/data"
	ln -s "$TEST_DIR/outside" "$TEST_DIR/rootfs/trap"
	in_container 'mount | grep -c trap; true' '.root.readonly = false' \
		".mounts += [{destination: \"/trap/x\", source: \"$TEST_DIR/data\", options: [\"bind\"]}]"
	rm "$TEST_DIR/rootfs/trap"
	rm -rf "${TEST_DIR:?}/rootfs$TEST_DIR"
	assert_status 0
	[ ! -e "$TEST_DIR/outside/x" ]
}

@test "nothing may be mounted over a part of proc" {
	in_container 'true' \
		'.mounts += [{destination: "/proc/self", type: "tmpfs", source: "tmpfs"}]'
	assert_status 1
	assert_has "inside proc"
}

@test "a tmpfs has its size and mode, and begins with what it covers if asked" {
	in_container 'stat -c %a /t1 /t2 /home; df -k /t1 | awk "NR==2 {print \$2}"; ls /etc; touch /etc/new' \
		'.root.readonly = false' \
		'.mounts += [{destination: "/t1", type: "tmpfs", source: "tmpfs",
			options: ["mode=0711", "size=256k"]},
			{destination: "/t2", type: "tmpfs", source: "tmpfs"},
			{destination: "/home", type: "tmpfs", source: "tmpfs"},
			{destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]}]'
	rmdir "$TEST_DIR/rootfs/t1" "$TEST_DIR/rootfs/t2"
	assert_status 0
	assert_equal "$output" "$(printf '711\n1777\n755\n256\ngroup\npasswd')"
	[ ! -e "$TEST_DIR/rootfs/etc/new" ]
}

@test "namespaces are new: pid, net, ipc, uts, mount" {
	in_container 'echo $$; hostname; ip -o link | wc -l; ip -o addr show lo | grep -c 127.0.0.1' \
		'.hostname = "frost"'
	assert_status 0
	assert_equal "$output" "$(printf '1\nfrost\n1\n1')"
}

@test "a network namespace by path is joined" {
	unshare --net sh -c 'echo $$; exec sleep 1000' >"$TEST_DIR/holder" 3>&- &
	holder=$!
	wait_for file_has "$TEST_DIR/holder" .
	in_container 'readlink /proc/self/ns/net' \
		"(.linux.namespaces[] | select(.type == \"network\")).path = \"/proc/$holder/ns/net\""
	wanted=$(readlink "/proc/$holder/ns/net")
	kill "$holder"
	assert_status 0
	assert_equal "$output" "$wanted"
	assert_equal "$(readlink /proc/self/ns/net)" "$(readlink /proc/$$/ns/net)"
}

@test "a user namespace maps ids, devices are there all the same" {
	chmod 755 "$TEST_DIR"
	in_container 'id -u; cat /proc/self/uid_map | tr -s " "; echo x >/dev/null && echo ok' \
		'.linux.namespaces += [{type: "user"}]' \
		'.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]' \
		'.linux.gidMappings = [{containerID: 0, hostID: 100000, size: 65536}]'
	chmod 700 "$TEST_DIR"
	assert_status 0
	assert_equal "$output" "$(printf '0\n 0 100000 65536\nok')"
}

@test "a time namespace moves the clocks" {
	in_container 'cut -d. -f1 /proc/uptime' '.linux.namespaces += [{type: "time"}]' \
		'.linux.timeOffsets = {boottime: {secs: 1000000}, monotonic: {secs: 1000000}}'
	assert_status 0
	[ "$output" -ge 1000000 ]
}

@test "a seccomp filter refuses what it should" {
	in_container 'mkdir /tmp/x; echo $?' '.root.readonly = false' \
		'.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [
			{names: ["mkdir", "mkdirat", "no_such_call"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}'
	assert_status 0
	assert_has "No space left on device"
	in_container 'true' '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [
			{names: ["mkdir"], action: "SCMP_ACT_NOTIFY"}]}'
	assert_status 1
	assert_has "SCMP_ACT_NOTIFY (a seccomp listener) is not supported"
}

@test "a sysctl of a namespace is set, one of the machine is refused" {
	in_container 'cat /proc/sys/net/ipv4/ip_unprivileged_port_start' \
		'.linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "42"}'
	assert_status 0
	assert_equal "$output" 42
	in_container true '.linux.sysctl = {"kernel.panic": "1"}'
	assert_status 1
	assert_has "'kernel.panic' is not in a separate kernel namespace"
}

@test "a terminal is the controlling one" {
	script_bundle c 'tty; stty size; echo >/dev/tty; exit 5' '.process.terminal = true' \
		'.process.consoleSize = {height: 33, width: 77}'
	run script -qec "stty rows 33 cols 77; $CRYORUN --root $TEST_DIR/runtime run --bundle $TEST_DIR/c c" /dev/null
	assert_status 5
	assert_has "/dev/pts/0"
	assert_has "33 77"
}

@test "the container's groups hold it and its limits, and are gone afterwards" {
	in_container 'cat /proc/self/cgroup' '.linux.resources.pids = {limit: 7}' \
		'.linux.namespaces |= map(select(.type != "cgroup"))'
	assert_status 0
	assert_has ":$(group_of c)"
	bundle c '.linux.resources.pids = {limit: 7}'
	create c
	run cat "/sys/fs/cgroup/pids$(group_of c)/pids.max" "/sys/fs/cgroup$(group_of c)/pids.max"
	assert_has 7
}

@test "the root of all cgroups, our own and those of others are refused" {
	own=$(grep -o '/.*' /proc/self/cgroup | grep -v '^/$' | head -n 1)
	for path in / //. /../x "$own"; do
		[ -n "$path" ] || continue
		bundle c ".linux.cgroupsPath = \"$path\""
		run create c
		assert_status 1
		[ ! -e "$TEST_DIR/runtime/c" ]
	done
	bundle other
	create other
	bundle c ".linux.cgroupsPath = \"$(group_of other)\""
	run create c
	assert_status 1
	file_has "$TEST_DIR/c/out" "in use by others"
	assert_equal "$(status_of other)" created
}

@test "hooks run at their time, with the state on standard input; a failing one stops the creation" {
	hook() { echo "[{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"$1\"], timeout: 10}]"; }
	log=$TEST_DIR/c.hooks
	in_container 'echo program' ".hooks = {
		prestart: $(hook "jq -r .status >>$log"),
		createRuntime: $(hook "echo createRuntime >>$log"),
		createContainer: $(hook "echo createContainer >>$log"),
		poststart: $(hook "cat >/dev/null; echo poststart >>$log"),
		poststop: $(hook "jq -r .status >>$log")}" \
		'(.hooks[] | .[]).env = ["PATH=/usr/bin:/bin"]'
	assert_status 0
	assert_equal "$(tr '\n' ' ' <"$log")" "creating createRuntime createContainer poststart stopped "
	in_container true ".hooks = {prestart: $(hook "echo it broke >&2; exit 4")}"
	assert_status 1
	assert_has "prestart hook 0: /bin/sh: exit status 4: it broke"
	in_container true ".hooks = {createRuntime: [{path: \"/bin/sleep\", args: [\"sleep\", \"100\"], timeout: 1}]}"
	assert_status 1
	assert_has "createRuntime hook 0"
}

@test "what is not supported is refused in words" {
	in_container true '.linux.intelRdt = {closID: "x"}'
	assert_status 1
	assert_has "linux.intelRdt is not supported"
	in_container true '.process.apparmorProfile = "x"'
	assert_status 1
	assert_has "process.apparmorProfile: 'x': not supported"
	in_container true '.ociVersion = "2.0"'
	assert_status 1
	assert_has "ociVersion: '2.0' is not supported"
}

@test "without a cgroupsPath the groups are below /cryorun" {
	name=c-${TEST_DIR##*.}
	bundle c 'del(.linux.cgroupsPath)' '.linux.namespaces |= map(select(.type != "cgroup"))' \
		'.process.args = ["cat", "/proc/self/cgroup"]'
	run cryorun run --bundle "$TEST_DIR/c" "$name"
	assert_status 0
	assert_has ":/cryorun/$name"
}

@test "descriptors are closed but those asked for" {
	script_bundle c 'ls /proc/self/fd | wc -l; cat <&3'
	echo passed >"$TEST_DIR/c/file"
	run bash -c "exec 3<'$TEST_DIR/c/file' 4<'$TEST_DIR/c/file' 7<'$TEST_DIR/c/file'
		'$CRYORUN' --root '$TEST_DIR/runtime' run --preserve-fds 1 --bundle '$TEST_DIR/c' c"
	assert_status 0
	# 0 to 3, and the one that ls reads the folder by.
	assert_equal "$output" "$(printf '5\npassed')"
}
