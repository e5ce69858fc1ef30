//! What the kernels of all ops share in their C interface: types, error codes.
//!
//! Plain C without CUDA or TensorRT headers, so that ctypes, the plugins and other programs can
//! call the kernels alike. A stream is a `cudaStream_t` passed as `void*`.
#ifndef SPIKEHALT_KERNEL_API_H
#define SPIKEHALT_KERNEL_API_H

#include <stddef.h>
#include <stdint.h>

#define SPIKEHALT_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C"
{
#endif

//! Element types. The numbers are part of the interface.
enum SpikehaltType
{
    kSPIKEHALT_FLOAT32 = 0,
    kSPIKEHALT_FLOAT16 = 1,
    kSPIKEHALT_INT8 = 2
};

//! Returned by every kernel function: 0, one of these, or a positive `cudaError_t`.
enum SpikehaltError
{
    kSPIKEHALT_OK = 0,
    kSPIKEHALT_BAD_TYPE = -1,       //!< an element type the kernel does not take
    kSPIKEHALT_BAD_SHAPE = -2,      //!< a size that is negative, too large, or does not fit the others
    kSPIKEHALT_BAD_ATTRIBUTE = -3,  //!< an attribute out of its range
    kSPIKEHALT_NULL_POINTER = -4,   //!< a tensor, the params or the workspace is missing
    kSPIKEHALT_SMALL_WORKSPACE = -5 //!< the workspace is smaller than the op asked for
};

//! One English sentence for a code returned by a kernel function. Never null, never freed.
SPIKEHALT_API char const* spikehaltErrorString(int32_t code);

#ifdef __cplusplus
}
#endif

#endif
