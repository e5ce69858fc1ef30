//! One library for every CPU of the architecture: the inner loops are compiled several times, and
//! the loader picks what the CPU has.
//!
//! Compilers vectorise a loop best in a function of its own whose pointers are `__restrict`. What
//! such a function calls must be inlined into each of its versions.
#ifndef SPIKEHALT_ONNXRUNTIME_VECTORS_H
#define SPIKEHALT_ONNXRUNTIME_VECTORS_H

#include <stdint.h>
#include <stdlib.h> // says whether the C library is glibc, whose loader can pick functions

// GCC's way of doing it; Clang's differs in what declarations must say, and has not been tried.
#if defined(__has_attribute) && defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) \
    && !defined(__SANITIZE_ADDRESS__)
#if __has_attribute(target_clones)
#define SPIKEHALT_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#endif
#endif
#ifndef SPIKEHALT_CLONES
#define SPIKEHALT_CLONES
#endif

#define SPIKEHALT_INLINE inline __attribute__((always_inline))

namespace spikehalt::ort
{

//! out[i] = weight * x[i].
void scaleRow(float* out, float const* x, float weight, int64_t count);
//! out[i] += weight * x[i], rounded after each operation.
void addScaledRow(float* out, float const* x, float weight, int64_t count);
//! out[i] += x[i].
void addRow(float* out, float const* x, int64_t count);

} // namespace spikehalt::ort

#endif
