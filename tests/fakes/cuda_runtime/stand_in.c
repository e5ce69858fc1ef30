/* A CUDA runtime without a GPU: device memory is the host's, kernels do nothing.
 *
 * Preloaded into ONNX Runtime's CUDA provider it lets sessions start and run: which nodes the
 * provider takes, and what its host code says to their types and attributes, is real; values are not.
 * Everything that is not defined here, and returns 0, is made by the test.
 */
#include <cuda_runtime_api.h>
#include <stdlib.h>
#include <string.h>
#undef cudaGetDeviceProperties

static cudaError_t zeroed(void **address, size_t size) {
  *address = aligned_alloc(256, (size + 511) / 256 * 256);
  if (*address == NULL) return cudaErrorMemoryAllocation;
  memset(*address, 0, size);
  return cudaSuccess;
}
static cudaError_t handle(void **made) {
  *made = calloc(1, 4096);
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *count) { *count = 1; return cudaSuccess; }
cudaError_t cudaGetDevice(int *device) { *device = 0; return cudaSuccess; }
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *p, int device) {
  memset(p, 0, sizeof *p);
  strcpy(p->name, "stand-in");
  p->major = 8;
  p->minor = 6;
  p->multiProcessorCount = 80;
  p->totalGlobalMem = 8ull << 30;
  p->warpSize = 32;
  p->maxThreadsPerBlock = 1024;
  p->maxThreadsPerMultiProcessor = 1536;
  p->sharedMemPerBlock = 49152;
  p->sharedMemPerBlockOptin = 101376;
  p->regsPerBlock = 65536;
  p->maxGridSize[0] = 2147483647;
  p->maxGridSize[1] = p->maxGridSize[2] = 65535;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr which, int device) {
  *value = which == cudaDevAttrComputeCapabilityMajor   ? 8
           : which == cudaDevAttrComputeCapabilityMinor ? 6
           : which == cudaDevAttrMultiProcessorCount    ? 80
           : which == cudaDevAttrWarpSize               ? 32
                                                        : 1024;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int *version) { *version = CUDART_VERSION; return cudaSuccess; }
cudaError_t cudaRuntimeGetVersion(int *version) { *version = CUDART_VERSION; return cudaSuccess; }
cudaError_t cudaMemGetInfo(size_t *unused, size_t *all) {
  *unused = *all = 8ull << 30;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void **address, size_t size) { return zeroed(address, size); }
cudaError_t cudaMallocHost(void **address, size_t size) { return zeroed(address, size); }
cudaError_t cudaHostAlloc(void **address, size_t size, unsigned flags) { return zeroed(address, size); }
cudaError_t cudaFree(void *address) { free(address); return cudaSuccess; }
cudaError_t cudaFreeHost(void *address) { free(address); return cudaSuccess; }
cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
  memmove(to, from, size);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
  memmove(to, from, size);
  return cudaSuccess;
}
cudaError_t cudaMemset(void *to, int value, size_t size) { memset(to, value, size); return cudaSuccess; }
cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t stream) {
  memset(to, value, size);
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *made) { return handle((void **)made); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *made, unsigned flags) { return handle((void **)made); }
cudaError_t cudaEventCreate(cudaEvent_t *made) { return handle((void **)made); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *made, unsigned flags) { return handle((void **)made); }
int cublasCreate_v2(void **made) { return handle(made); }
int cublasLtCreate(void **made) { return handle(made); }
int cudnnCreate(void **made) { return handle(made); }
size_t cudnnGetVersion(void) { return 91000; }

cudaError_t cudaFuncGetAttributes(struct cudaFuncAttributes *found, const void *kernel) {
  memset(found, 0, sizeof *found);
  found->maxThreadsPerBlock = 1024;
  found->ptxVersion = found->binaryVersion = 86;
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(struct cudaPointerAttributes *found, const void *address) {
  memset(found, 0, sizeof *found);
  found->type = cudaMemoryTypeDevice;
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *kernel, int threads,
                                                                   size_t shared, unsigned flags) {
  *blocks = 2;
  return cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status) {
  *status = cudaStreamCaptureStatusNone;
  return cudaSuccess;
}
cudaError_t cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **arguments, size_t shared,
                             cudaStream_t stream) {
  return cudaSuccess;
}
