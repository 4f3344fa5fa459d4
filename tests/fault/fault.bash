# fault.bash: what the fault tests share.

# Loaded from a bats file in this folder.
load ../lib/setup

# A helper of this folder, compiled for this file of tests.
helper() { # NAME
	[ -x "$TEST_DIR/$1" ] || gcc -std=gnu17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror \
		-o "$TEST_DIR/$1" "$TOP/tests/fault/$1.c" || return 1
	echo "$TEST_DIR/$1"
}

# A container that counts a number each SECONDS.
start_looper() { # NAME SECONDS
	cryopod run -d --name "$1" --network none "$IMAGE" /bin/sh -c \
		"i=0; while true; do echo \$i; i=\$(expr \$i + 1); sleep $2; done" >/dev/null
	wait_for log_lines "$1" 2
}

state_of() { cryopod inspect --format '{{.State.Status}}' "$1"; }
is_running() { [ "$(state_of "$1")" = running ]; }

grows() { # NAME: the log gets longer
	local n
	n=$(cryopod logs "$1" | wc -l)
	wait_for log_lines "$1" $((n + 2))
}

# The tasks of a container as the host sees them, and that none is stopped or traced.
tasks_of() { cryopod inspect --format '{{.State.Pid}}' "$1"; }
nobody_stopped() { # PID
	local pid
	for pid in "$1" $(cat "/proc/$1/task"/*/children 2>/dev/null); do
		[ ! -e "/proc/$pid" ] || ! grep -qE '^State:\s[tT]|^TracerPid:\s[1-9]' "/proc/$pid/status" || return 1
	done
}

# Used images are deleted in the background.
nothing_is_deleted() { [ -z "$(find "$TEST_DIR/root" -name 'checkpoint.used.*' 2>/dev/null)" ]; }

# Everything of this test below its folder, less what changes by itself.
inventory() {
	wait_for nothing_is_deleted || return 1
	find "$TEST_DIR/root" "$TEST_DIR/run" -mindepth 1 -not -path '*/merged/*' -not -name '*.log' -not -name 'stats-*' \
		-not -name '*-wal' -not -name '*-shm' -not -name '*-journal' 2>/dev/null | sort
}

random() { # BELOW
	echo $(((RANDOM * 32768 + RANDOM) % $1))
}
