# cryopod pull: images from a registry and from files.

load ../../lib/setup
load images
load registry

setup_file() {
	test_begin
	registry_start
	make_two_layers "$TEST_DIR/two"
	push "oci:$TEST_DIR/two:img" team/two:v1
	push "oci:$TEST_DIR/two:img" team/docker:v1 --format v2s2
	push "oci:$TEST_DIR/two:img" library/short:latest
	cat >"$TEST_DIR/registries.conf" <<-END
		unqualified-search-registries = [
			"$REGISTRY", # ours
		]
		[aliases]
		"nick" = "$REGISTRY/team/two"
		[[registry]]
		location = "$REGISTRY"
		insecure = true
	END
}
teardown_file() { registry_stop; test_end; }
setup() { export CONTAINERS_REGISTRIES_CONF=$TEST_DIR/registries.conf; }
teardown() { remove_images; assert_store_empty; }

# An OCI layout with two gzip layers: the second hides, replaces and adds. No tool of ours made it.
make_two_layers() {
	python3 - "$1" <<-'END'
		import gzip, hashlib, io, json, os, sys, tarfile
		top = sys.argv[1]
		os.makedirs(top + "/blobs/sha256")
		def blob(data):
		    name = hashlib.sha256(data).hexdigest()
		    open(f"{top}/blobs/sha256/{name}", "wb").write(data)
		    return {"digest": "sha256:" + name, "size": len(data)}
		def layer(entries):
		    raw = io.BytesIO()
		    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
		        for name, kind, content in entries:
		            info = tarfile.TarInfo(name)
		            info.mode = 0o755 if kind == "dir" else 0o644
		            info.type = {"dir": tarfile.DIRTYPE, "file": tarfile.REGTYPE, "link": tarfile.SYMTYPE}[kind]
		            info.size = len(content) if kind == "file" else 0
		            info.linkname = content if kind == "link" else ""
		            tar.addfile(info, io.BytesIO(content.encode()) if kind == "file" else None)
		    return raw.getvalue()
		layers = [
		    layer([("etc", "dir", ""), ("etc/motd", "file", "one"), ("etc/gone", "file", "x"),
		           ("var", "dir", ""), ("var/old", "file", "x"), ("link", "link", "etc/motd")]),
		    layer([("etc", "dir", ""), ("etc/.wh.gone", "file", ""), ("etc/motd", "file", "two"),
		           ("var", "dir", ""), ("var/.wh..wh..opq", "file", ""), ("var/new", "file", "x")]),
		]
		diff_ids = ["sha256:" + hashlib.sha256(l).hexdigest() for l in layers]
		config = {"architecture": "amd64", "os": "linux", "created": "2020-01-02T03:04:05Z",
		          "config": {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"]},
		          "rootfs": {"type": "layers", "diff_ids": diff_ids}, "history": []}
		layer_type = "application/vnd.oci.image.layer.v1.tar+gzip"
		manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		            "config": {"mediaType": "application/vnd.oci.image.config.v1+json",
		                       **blob(json.dumps(config).encode())},
		            "layers": [{"mediaType": layer_type, **blob(gzip.compress(l))} for l in layers]}
		index = {"schemaVersion": 2, "manifests": [
		    {"mediaType": manifest["mediaType"], **blob(json.dumps(manifest).encode()),
		     "annotations": {"org.opencontainers.image.ref.name": "img"}}]}
		json.dump(index, open(top + "/index.json", "w"))
		json.dump({"imageLayoutVersion": "1.0.0"}, open(top + "/oci-layout", "w"))
	END
}

config_digest() { jq -r .config.digest "$TEST_DIR/two/blobs/sha256/$(jq -r '.manifests[0].digest' "$TEST_DIR/two/index.json" | cut -d: -f2)" | cut -d: -f2; }

@test "from a registry: the id on standard output, nothing else" {
	run -0 --separate-stderr cryopod pull "$REGISTRY/team/two:v1"
	assert_equal "$output" "$(config_digest)"
	assert_equal "$stderr" ""
	run -0 cryopod images --format '{{.Repository}}:{{.Tag}} {{.Digest}}'
	assert_equal "$output" "$REGISTRY/team/two:v1 $(jq -r '.manifests[0].digest' "$TEST_DIR/two/index.json")"
	run -0 cryopod images --noheading
	assert_has "years ago"
}

@test "layers are stacked as the image means them" {
	cryopod pull "$REGISTRY/team/two:v1"
	cryopod create --name c "$REGISTRY/team/two:v1" /bin/sh
	root=$(cryopod mount c)
	assert_equal "$(cat "$root/etc/motd")" two
	assert_equal "$(cat "$root/link")" two
	assert_equal "$(ls "$root/var")" new
	[ ! -e "$root/etc/gone" ]
	cryopod unmount c
}

@test "pulled again, nothing is fetched" {
	cryopod pull "$REGISTRY/team/two:v1"
	mv "$TEST_DIR/registry/docker/registry/v2/blobs" "$TEST_DIR/registry/away"
	mkdir "$TEST_DIR/registry/docker/registry/v2/blobs"
	# the manifest alone is there
	(cd "$TEST_DIR/registry/away" && grep -rlF '"layers"' . | while read -r file; do
		mkdir -p "../docker/registry/v2/blobs/${file%/*}"
		cp "$file" "../docker/registry/v2/blobs/$file"
	done)
	run cryopod pull "$REGISTRY/team/two:v1"
	rm -r "$TEST_DIR/registry/docker/registry/v2/blobs"
	mv "$TEST_DIR/registry/away" "$TEST_DIR/registry/docker/registry/v2/blobs"
	assert_status 0
	assert_equal "$output" "$(config_digest)"
}

@test "Docker's manifests keep the digest their registry knows" {
	cryopod pull "$REGISTRY/team/docker:v1"
	wanted=sha256:$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/team/docker:v1" | sha256sum | cut -d' ' -f1)
	assert_equal "$(cryopod images --format '{{.Digest}}')" "$wanted"
	run -0 cryopod image exists "$REGISTRY/team/docker@$wanted"
	cryopod rmi -a
	run -0 cryopod pull "$REGISTRY/team/docker@$wanted"
	assert_equal "$output" "$(skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/team/docker:v1" | jq -r .config.digest | cut -d: -f2)"
	run -0 cryopod image exists "$REGISTRY/team/docker@$wanted"
}

@test "short names: by alias, and by the registries that are searched" {
	run -0 cryopod pull nick:v1
	assert_equal "$(cryopod images --format '{{.Repository}}:{{.Tag}}')" "$REGISTRY/team/two:v1"
	run -0 cryopod image exists nick:v1
	run -0 cryopod pull library/short
	assert_equal "$(cryopod images --format '{{.Repository}}' | sort | tail -n 1)" "$REGISTRY/team/two"
	run -0 cryopod image exists "$REGISTRY/library/short:latest"
	echo >"$TEST_DIR/none.conf"
	CONTAINERS_REGISTRIES_CONF=$TEST_DIR/none.conf run -125 cryopod pull nowhere-to-look
	assert_equal "$output" "Error: short-name \"nowhere-to-look\" did not resolve to an alias and no unqualified-search registries are defined in \"$TEST_DIR/none.conf\""
	echo 'unqualified-search-registries = "x"' >"$TEST_DIR/bad.conf"
	CONTAINERS_REGISTRIES_CONF=$TEST_DIR/bad.conf run -125 cryopod pull short
	assert_equal "$output" "Error: '$TEST_DIR/bad.conf' line 1: a list of strings was expected"
}

@test "what is not there, and who does not answer" {
	run -125 cryopod pull "$REGISTRY/team/nope:v1"
	assert_has "Error: initializing source docker://$REGISTRY/team/nope:v1: reading manifest v1 in $REGISTRY/team/nope: manifest unknown"
	assert_equal "${#lines[@]}" 1
	run -125 cryopod pull --tls-verify=true "$REGISTRY/team/two:v1"
	assert_has "server gave HTTP response to HTTPS client"
	run -125 cryopod pull 127.0.0.1:1/x
	assert_has "connection refused"
	run -125 cryopod pull "$REGISTRY/team/nope:v1" "$REGISTRY/team/two:v1"
	assert_has "$(config_digest)" # the other one was pulled
	run -125 cryopod pull
	assert_has "requires at least 1 arg"
	run -125 cryopod pull containers-storage:x
	assert_has 'transport "containers-storage" is not supported'
}

@test "from a layout, a folder, archives" {
	local kind
	run -0 cryopod pull "oci:$TEST_DIR/two:img"
	assert_equal "$output" "$(config_digest)"
	assert_equal "$(cryopod images --format '{{.Repository}}:{{.Tag}}')" localhost/img:latest
	for kind in oci-archive dir; do
		skopeo copy -q "oci:$TEST_DIR/two:img" "$kind:$TEST_DIR/$kind"
		cd "$TEST_DIR"
		run -0 cryopod pull "$kind:$kind"
		assert_equal "$output" "$(config_digest)"
	done
	# Docker's archives have the config byte for byte: skopeo wrote it anew from the OCI's
	skopeo copy -q "oci:$TEST_DIR/two:img" "docker-archive:$TEST_DIR/docker.tar:name:tag"
	run -0 cryopod pull "docker-archive:$TEST_DIR/docker.tar"
	assert_equal "$output" "$(tar -xOf "$TEST_DIR/docker.tar" manifest.json | jq -r '.[0].Config' | cut -d. -f1)"
	assert_equal "$(ls "$TEST_DIR/root/layers" | wc -l)" 2
	run -0 cryopod pull "docker-archive:$TEST_DIR/docker.tar:name:tag"
	run -125 cryopod pull "docker-archive:$TEST_DIR/docker.tar:other:tag"
	assert_has "has no image 'other:tag'"
}

@test "a layer that is not what its manifest says is refused" {
	local blob
	cp -r "$TEST_DIR/two" "$TEST_DIR/bad"
	# valid gzip, valid tar, wrong content: the config's diff_id is that of another layer
	python3 - "$TEST_DIR/bad" <<-'END'
		import gzip, hashlib, json, sys
		top = sys.argv[1]
		path = lambda d: f"{top}/blobs/sha256/{d.split(':')[1]}"
		index = json.load(open(top + "/index.json"))
		manifest = json.load(open(path(index["manifests"][0]["digest"])))
		data = gzip.compress(gzip.decompress(open(path(manifest["layers"][0]["digest"]), "rb").read()).replace(b"one", b"bad"))
		new = hashlib.sha256(data).hexdigest()
		open(f"{top}/blobs/sha256/{new}", "wb").write(data)
		manifest["layers"][0].update(digest="sha256:" + new, size=len(data))
		data = json.dumps(manifest).encode()
		new = hashlib.sha256(data).hexdigest()
		open(f"{top}/blobs/sha256/{new}", "wb").write(data)
		index["manifests"][0].update(digest="sha256:" + new, size=len(data))
		json.dump(index, open(top + "/index.json", "w"))
	END
	run -125 cryopod pull "oci:$TEST_DIR/bad:img"
	assert_has "Error: "
	assert_equal "${#lines[@]}" 1
	assert_store_empty
	run -0 cryopod images -q
	assert_equal "$output" ""
}

@test "several at once, of the same and of other images" {
	local i pids=()
	for i in 1 2 3 4; do
		cryopod pull "$REGISTRY/team/two:v1" & pids+=($!)
		cryopod pull "$REGISTRY/team/docker:v1" & pids+=($!)
		cryopod pull "$REGISTRY/library/short" & pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i"; done
	assert_equal "$(cryopod images --noheading | wc -l)" 3
	assert_equal "$(ls "$TEST_DIR/root/layers" | wc -l)" 2
	[ -z "$(ls "$TEST_DIR/root/images/tmp")" ]
}

@test "create pulls what is missing, by its policy" {
	run -125 cryopod create --pull never "$REGISTRY/team/two:v1"
	assert_equal "$output" "Error: $REGISTRY/team/two:v1: image not known"
	run -125 cryopod create --pull sometimes "$REGISTRY/team/two:v1"
	assert_has 'unsupported pull policy "sometimes"'
	run -0 cryopod create "$REGISTRY/team/two:v1"
	run -0 cryopod image exists "$REGISTRY/team/two:v1"
	registry_stop
	run -0 cryopod create "$REGISTRY/team/two:v1" # it is here: nobody is asked
	run -125 cryopod create --pull always "$REGISTRY/team/two:v1"
	assert_has "connection refused"
	assert_equal "$(cryopod ps -aq | wc -l)" 2
}
