//! The little of the CUDA runtime that `python -m plugins selftest` needs, as C functions of the
//! kernels library: so the test needs no Python package for CUDA. All return 0 or an error code.
#ifndef SPIKEHALT_DEVICE_API_H
#define SPIKEHALT_DEVICE_API_H

#include "kernel_api.h"

#ifdef __cplusplus
extern "C"
{
#endif

//! Number of CUDA devices; an error code where there is no driver.
SPIKEHALT_API int32_t spikehaltDeviceCount(int32_t* count);
//! Name of the current device, cut to `length` bytes, and its compute capability.
SPIKEHALT_API int32_t spikehaltDeviceName(char* name, int32_t length, int32_t* major, int32_t* minor);

SPIKEHALT_API int32_t spikehaltAllocate(void** memory, size_t bytes);
SPIKEHALT_API int32_t spikehaltFree(void* memory);
SPIKEHALT_API int32_t spikehaltUpload(void* device, void const* host, size_t bytes);
SPIKEHALT_API int32_t spikehaltDownload(void* host, void const* device, size_t bytes);
//! Copy on the device, asynchronous on `stream`: what bandwidth is measured against.
SPIKEHALT_API int32_t spikehaltCopy(void* target, void const* source, size_t bytes, void* stream);

SPIKEHALT_API int32_t spikehaltStreamCreate(void** stream);
SPIKEHALT_API int32_t spikehaltStreamDestroy(void* stream);
SPIKEHALT_API int32_t spikehaltStreamSynchronize(void* stream);

//! What is launched on `stream` between the two is recorded as a graph, not run.
SPIKEHALT_API int32_t spikehaltCaptureBegin(void* stream);
SPIKEHALT_API int32_t spikehaltCaptureEnd(void* stream, void** graph);
//! Run the graph once to warm up, then `runs` times; milliseconds of those together.
SPIKEHALT_API int32_t spikehaltGraphTime(void* graph, void* stream, int32_t runs, float* milliseconds);
SPIKEHALT_API int32_t spikehaltGraphDestroy(void* graph);

#ifdef __cplusplus
}
#endif

#endif
