/*
 * clock: time as uint64_t nanoseconds.
 */
#pragma once

#include <stdint.h>

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC: for durations */
uint64_t clock_real_ns(void); /* CLOCK_REALTIME: for people */
