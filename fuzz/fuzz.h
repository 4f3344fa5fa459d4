/*
 * fuzz: what every fuzzer of this folder defines.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Always 0. Whatever the bytes are: no crash, no hang, and a failure has words. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
