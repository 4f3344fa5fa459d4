# wait.bash: waiting for a condition, never for a guess.

# wait_for [-t SECONDS] COMMAND...: until COMMAND succeeds; fails at the deadline (10 s).
wait_for() {
	local seconds=10 end
	if [ "$1" = -t ]; then
		seconds=$2
		shift 2
	fi
	end=$((${EPOCHREALTIME/./} + seconds * 1000000))
	until "$@" >/dev/null 2>&1; do
		if [ "${EPOCHREALTIME/./}" -gt "$end" ]; then
			echo "waited $seconds s in vain for: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

# Conditions for wait_for.
file_has() { grep -qe "$2" "$1"; }
process_gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }
