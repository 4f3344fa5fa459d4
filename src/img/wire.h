/*
 * wire: encoded protobuf, looked at before it is decoded.
 *
 * protobuf-c decodes nested messages by recursion. Records whose message may
 * contain itself (cgroup folders, AppArmor namespaces) would let a hostile
 * image exhaust the stack, so the nesting is measured first.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_DEPTH_MAX 64

/* Whether the bytes are well-formed and messages are nested at most WIRE_DEPTH_MAX deep. */
bool wire_depth_ok(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t len);
