//! Arithmetic that rounds alike on the device and on the host.
//!
//! The compiler may otherwise join a product and a sum into one rounding; spikes and halting
//! decisions hang on thresholds, so every operation here rounds once, as numpy does. Host code
//! that includes this must be compiled with -ffp-contract=off.
#ifndef SPIKEHALT_MATH_H
#define SPIKEHALT_MATH_H

#include <math.h>
#include <stdint.h>

#ifdef __CUDACC__
#define SPIKEHALT_HD __host__ __device__ __forceinline__
#elif defined(__GNUC__)
// Always: the versions of a loop for several CPUs can only take in what is inlined.
#define SPIKEHALT_HD inline __attribute__((always_inline))
#else
#define SPIKEHALT_HD inline
#endif

namespace spikehalt
{

SPIKEHALT_HD float mulRounded(float a, float b)
{
#ifdef __CUDA_ARCH__
    return __fmul_rn(a, b);
#else
    return a * b;
#endif
}

SPIKEHALT_HD float addRounded(float a, float b)
{
#ifdef __CUDA_ARCH__
    return __fadd_rn(a, b);
#else
    return a + b;
#endif
}

SPIKEHALT_HD float divRounded(float a, float b)
{
#ifdef __CUDA_ARCH__
    return __fdiv_rn(a, b);
#else
    return a / b;
#endif
}

SPIKEHALT_HD float sqrtRounded(float a)
{
#ifdef __CUDA_ARCH__
    return __fsqrt_rn(a);
#else
    return sqrtf(a);
#endif
}

} // namespace spikehalt

#endif
