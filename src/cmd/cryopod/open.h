/*
 * open: the pod that the global options name.
 */
#pragma once

#include "pod/pod.h"

struct error;
struct program;

int program_open(const struct program *program, struct pod *ret, struct error *err);
