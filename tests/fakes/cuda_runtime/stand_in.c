/* A CUDA runtime without a GPU: device memory is the host's, kernels do nothing, results are zero.
 *
 * Preloaded into a library that was built for CUDA (ONNX Runtime's provider, PyTorch) it lets that
 * start and run: all its host code is real, values are not. What comes back from the device is zero,
 * so that nothing is sized by the garbage that kernels would have overwritten. Functions that are not
 * defined here, and return 0, are made by __init__.py.
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
  p->regsPerBlock = p->regsPerMultiprocessor = 65536;
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
cudaError_t cudaMallocAsync(void **address, size_t size, cudaStream_t stream) { return zeroed(address, size); }
cudaError_t cudaFreeAsync(void *address, cudaStream_t stream) { free(address); return cudaSuccess; }
cudaError_t cudaGetSymbolAddress(void **address, const void *symbol) { return zeroed(address, 65536); }
cudaError_t cudaFree(void *address) { free(address); return cudaSuccess; }
cudaError_t cudaFreeHost(void *address) { free(address); return cudaSuccess; }
static cudaError_t moved(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
  if (kind == cudaMemcpyDeviceToHost)
    memset(to, 0, size);
  else
    memmove(to, from, size);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void *to, const void *from, size_t size, enum cudaMemcpyKind kind) {
  return moved(to, from, size, kind);
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t size, enum cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return moved(to, from, size, kind);
}
cudaError_t cudaMemset(void *to, int value, size_t size) { memset(to, value, size); return cudaSuccess; }
cudaError_t cudaMemsetAsync(void *to, int value, size_t size, cudaStream_t stream) {
  memset(to, value, size);
  return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *made) { return handle((void **)made); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *made, unsigned flags) { return handle((void **)made); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t *made, unsigned flags, int priority) {
  return handle((void **)made);
}
cudaError_t cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
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
/* Graphs: captured while a stream says so, and empty. */
static int capturing = 0;
static enum cudaStreamCaptureStatus capture(void) {
  return capturing ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
}
cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode) {
  capturing++;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *made) {
  capturing--;
  return handle((void **)made);
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status) {
  *status = capture();
  return cudaSuccess;
}
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, enum cudaStreamCaptureStatus *status,
                                     unsigned long long *id, cudaGraph_t *graph,
                                     const cudaGraphNode_t **from, const cudaGraphEdgeData **edges,
                                     size_t *count) {
  *status = capture();
  if (id != NULL) *id = 1;
  if (graph != NULL) *graph = NULL;
  if (from != NULL) *from = NULL;
  if (edges != NULL) *edges = NULL;
  if (count != NULL) *count = 0;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *made, cudaGraph_t graph, unsigned long long flags) {
  return handle((void **)made);
}
cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *made, cudaGraph_t graph,
                                          unsigned long long flags) {
  return handle((void **)made);
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count) {
  *count = 1;
  return cudaSuccess;
}
const char *cudaGetErrorString(cudaError_t code) { return "an error of the stand-in"; }
const char *cudaGetErrorName(cudaError_t code) { return "standInError"; }
cudaError_t cudaDeviceGetPCIBusId(char *id, int size, int device) {
  strcpy(id, "0000:00:00.0");
  return cudaSuccess;
}
static int nothing(void) { return 0; }
cudaError_t cudaGetDriverEntryPointByVersion(const char *symbol, void **function, unsigned version,
                                             unsigned long long flags,
                                             enum cudaDriverEntryPointQueryResult *found) {
  *function = (void *)nothing;
  if (found != NULL) *found = cudaDriverEntryPointSuccess;
  return cudaSuccess;
}
/* What nvcc compiles a launch into. */
int __cudaGetKernel(void **kernel, const void *function) { *kernel = (void *)function; return 0; }
int __cudaLaunchKernel(void *kernel, dim3 grid, dim3 block, void **arguments, size_t shared, void *stream) {
  return 0;
}
cudaError_t cudaLaunchKernel(const void *kernel, dim3 grid, dim3 block, void **arguments, size_t shared,
                             cudaStream_t stream) {
  return cudaSuccess;
}
