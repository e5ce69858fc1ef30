//! Names for what the kernel functions return.
#include "kernel_api.h"

#include <cuda_runtime.h>

char const* spikehaltErrorString(int32_t code)
{
    switch (code)
    {
    case kSPIKEHALT_OK: return "no error";
    case kSPIKEHALT_BAD_TYPE: return "an element type the kernel does not take";
    case kSPIKEHALT_BAD_SHAPE: return "a size is negative, too large or does not fit the others";
    case kSPIKEHALT_BAD_ATTRIBUTE: return "an attribute is out of its range";
    case kSPIKEHALT_NULL_POINTER: return "a tensor, the parameters or the workspace is missing";
    case kSPIKEHALT_SMALL_WORKSPACE: return "the workspace is smaller than the op asked for";
    default:
        return code > 0 ? cudaGetErrorString(static_cast<cudaError_t>(code)) : "an unknown error code";
    }
}
