# leftovers.bash: what belongs to a test, and whether anything of it is left.
#
# Everything of a test mentions the random name of $TEST_DIR: see setup.bash.
# A cgroup carries a container's name instead: those that appeared since the beginning
# count if they are empty, stay so for a while, and are named after a container of ours
# (remember_names) or after our folder.

# Ids of live processes that are the test's, without the shells that run it.
leftover_processes() {
	local self=" " pid=$BASHPID file ours mine
	while [ "$pid" -gt 1 ]; do
		self+="$pid "
		pid=$(awk '{ sub(/.*\) /, ""); print $2 }' "/proc/$pid/stat" 2>/dev/null) || break
	done
	mine=$(readlink /proc/self/ns/mnt)
	{
		grep -lsF -e "$TEST_DIR" /proc/[0-9]*/environ /proc/[0-9]*/cmdline
		# In our own mount namespace every process sees the test's mounts.
		grep -lsF -e "$TEST_DIR" /proc/[0-9]*/mountinfo | while read -r file; do
			ours=$(readlink "${file%/*}/ns/mnt" 2>/dev/null) || continue
			[ "$ours" = "$mine" ] || echo "$file"
		done
		find /proc/[0-9]*/exe -lname "$TEST_DIR/*" 2>/dev/null
	} | cut -d/ -f3 | sort -un | while read -r pid; do
		[[ $self != *" $pid "* ]] || continue
		[ -r "/proc/$pid/status" ] || continue
		# The helpers of this very pipeline and of bats are children of those shells.
		if process_is_bats "$pid"; then continue; fi
		echo "$pid"
	done
}

process_is_bats() {
	local line
	line=$(tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline") || return 0
	case $line in
	*bats-exec-* | *bats-format-* | */bats-core/*) return 0 ;;
	"sleep ${BATS_TEST_TIMEOUT:-} ") return 0 ;; # bats' own deadline of a test
	esac
	return 1
}

leftover_mounts() {
	awk -v dir="$TEST_DIR" 'index($0, dir) { print $5 }' /proc/self/mountinfo
}

all_cgroups() {
	awk '/ - cgroup2? / { print $5 }' /proc/self/mountinfo | sort -u |
		while read -r hierarchy; do find "$hierarchy" -mindepth 1 -type d 2>/dev/null; done |
		sort -u
}

# Notes the names of containers, for their cgroups: those there are now, and words given.
remember_names() {
	{
		[ $# = 0 ] || printf '%s\n' "$@"
		[ ! -d "$TEST_DIR/root/containers" ] || ls "$TEST_DIR/root/containers"
	} >>"$TEST_DIR/.names" 2>/dev/null
}

is_named_after_us() { # CGROUP
	local part
	[[ $1 != *"${TEST_DIR##*/}"* ]] || return 0
	for part in ${1//\// }; do
		grep -qxF -e "${part#cryopod-}" "$TEST_DIR/.names" 2>/dev/null && return 0
	done
	return 1
}

# Cgroups that are ours, new, and empty now.
new_empty_cgroups() {
	comm -13 "$TEST_DIR/.cgroups" <(all_cgroups) | while read -r group; do
		[ -e "$group/cgroup.procs" ] && [ -z "$(cat "$group/cgroup.procs" 2>/dev/null)" ] || continue
		if is_named_after_us "$group"; then echo "$group"; fi
	done
}

leftover_cgroups() {
	local first again
	first=$(new_empty_cgroups)
	for _ in 1 2 3 4 5; do
		[ -n "$first" ] || return 0
		sleep 0.2
		again=$(new_empty_cgroups)
		first=$(comm -12 <(echo "$first") <(echo "$again"))
	done
	echo "$first"
}

# Named network namespaces (bind mounts) that are new.
leftover_netns() {
	comm -13 "$TEST_DIR/.netns" <(named_netns)
}

named_netns() {
	awk '/ - nsfs / { print $5 }' /proc/self/mountinfo | grep -sF -e /netns/ | sort -u
	return 0
}

# State of containers in the run folders: what stays is an empty skeleton.
leftover_files() {
	find "$TEST_DIR/run" "$TEST_DIR/runtime" -mindepth 1 \( -type s -o -type p -o -name '*.pid' \
		-o -name state.json -o -name '.tmp*' -o -name '*.tmp' \) 2>/dev/null
}

leftovers_remember() {
	all_cgroups >"$TEST_DIR/.cgroups"
	named_netns >"$TEST_DIR/.netns"
}

# A process that was killed may need a moment to be gone.
no_leftover_processes() { [ -z "$(leftover_processes)" ]; }
no_leftover_mounts() { [ -z "$(leftover_mounts)" ]; }

# Fails, and names them, if processes, mounts, cgroups, network namespaces or run files are left.
assert_nothing_left() {
	local bad=0 what
	wait_for -t 3 no_leftover_processes 2>/dev/null || {
		echo "processes left:" >&2
		for what in $(leftover_processes); do
			echo "  $what $(tr '\0' ' ' 2>/dev/null <"/proc/$what/cmdline")" >&2
		done
		bad=1
	}
	wait_for -t 3 no_leftover_mounts 2>/dev/null || {
		echo "mounts left:" >&2
		leftover_mounts >&2
		bad=1
	}
	for what in cgroups netns files; do
		if [ -n "$("leftover_$what")" ]; then
			echo "$what left:" >&2
			"leftover_$what" >&2
			bad=1
		fi
	done
	return $bad
}

# The parent of all groups that a file's bundles ask for; a runtime leaves it. Only what is empty goes.
remove_own_cgroups() {
	all_cgroups | sort -r | while read -r group; do
		[[ $group != */"${TEST_DIR##*/}" && $group != */"${TEST_DIR##*/}"/* ]] || rmdir "$group" 2>/dev/null
	done
	return 0
}

# Kills and unmounts what is the test's own, and nothing else.
leftovers_remove() {
	local pid mount
	for _ in 1 2 3; do
		for pid in $(leftover_processes); do kill -KILL "$pid" 2>/dev/null; done
		wait_for -t 2 no_leftover_processes 2>/dev/null && break
	done
	leftover_mounts | sort -r | while read -r mount; do
		umount "$mount" 2>/dev/null || umount -l "$mount"
	done
	remove_own_cgroups
	return 0
}
