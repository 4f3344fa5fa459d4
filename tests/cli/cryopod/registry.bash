# registry.bash: a registry of this file's own, on loopback: Debian's docker-registry.

# Starts it on a port the kernel gives; sets REGISTRY to host:port.
registry_start() {
	local port config=$TEST_DIR/registry.yml
	for _ in 1 2 3 4 5; do
		port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
		cat >"$config" <<-END
			version: 0.1
			log: {level: error}
			storage: {filesystem: {rootdirectory: $TEST_DIR/registry}}
			http: {addr: "127.0.0.1:$port"}
		END
		docker-registry serve "$config" >"$TEST_DIR/registry.log" 2>&1 3>&- &
		echo $! >"$TEST_DIR/registry.pid"
		REGISTRY=127.0.0.1:$port
		wait_for -t 5 registry_answers && break
		registry_stop # the port was taken meanwhile
	done
	export REGISTRY
	registry_answers
}

registry_answers() {
	python3 -c "import urllib.request; urllib.request.urlopen('http://$REGISTRY/v2/')" 2>/dev/null
}

registry_stop() {
	local pid
	pid=$(cat "$TEST_DIR/registry.pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || true
	wait_for process_gone "$pid"
	rm -f "$TEST_DIR/registry.pid"
}

# push SOURCE NAME [OPTION...]: with skopeo, from anywhere it can read.
push() { skopeo copy -q --dest-tls-verify=false "${@:3}" "$1" "docker://$REGISTRY/$2"; }
