/* The functions of the CUDA driver that cuda_driver.py calls, on host memory.
 * Calls are written to the file named by FAKE_CUDA_LOG; FAKE_CUDA_FAIL=name:code makes one fail. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int done(const char *name, const char *arguments) {
    const char *log = getenv("FAKE_CUDA_LOG"), *fail = getenv("FAKE_CUDA_FAIL");
    if (log) {
        FILE *file = fopen(log, "a");
        fprintf(file, "%s %s\n", name, arguments);
        fclose(file);
    }
    size_t length = strlen(name);
    if (fail && strncmp(fail, name, length) == 0 && fail[length] == ':') return atoi(fail + length + 1);
    return 0;
}
#define DONE(name, ...) \
    do { char text[256]; snprintf(text, sizeof text, __VA_ARGS__); return done(name, text); } while (0)

typedef uint64_t address;
int cuInit(unsigned flags) { DONE("cuInit", "%u", flags); }
int cuDeviceGetCount(int *count) { *count = 2; DONE("cuDeviceGetCount", "-"); }
int cuDeviceGet(int *device, int ordinal) { *device = 40 + ordinal; DONE("cuDeviceGet", "%d", ordinal); }
int cuDeviceGetName(char *name, int length, int device) {
    snprintf(name, (size_t)length, "Fake %d", device);
    DONE("cuDeviceGetName", "%d", device);
}
int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == 75 ? 8 : attribute == 76 ? 7 : -1;
    DONE("cuDeviceGetAttribute", "%d %d", attribute, device);
}
int cuDevicePrimaryCtxRetain(void **context, int device) {
    *context = (void *)0x1234;
    DONE("cuDevicePrimaryCtxRetain", "%d", device);
}
int cuCtxSetCurrent(void *context) { DONE("cuCtxSetCurrent", "%p", context); }
int cuMemAlloc_v2(address *pointer, size_t size) {
    *pointer = (address)malloc(size);
    memset((void *)*pointer, 0xAB, size);
    DONE("cuMemAlloc_v2", "%zu", size);
}
int cuMemFree_v2(address pointer) { free((void *)pointer); DONE("cuMemFree_v2", "-"); }
int cuMemsetD8Async(address pointer, unsigned char value, size_t size, void *stream) {
    memset((void *)pointer, value, size);
    DONE("cuMemsetD8Async", "%d %zu %p", value, size, stream);
}
int cuMemHostAlloc(void **pointer, size_t size, unsigned flags) {
    *pointer = malloc(size);
    DONE("cuMemHostAlloc", "%zu %u", size, flags);
}
int cuMemFreeHost(void *pointer) { free(pointer); DONE("cuMemFreeHost", "-"); }
int cuMemcpyHtoDAsync_v2(address target, const void *source, size_t size, void *stream) {
    memcpy((void *)target, source, size);
    DONE("cuMemcpyHtoDAsync_v2", "%zu %p", size, stream);
}
int cuMemcpyDtoHAsync_v2(void *target, address source, size_t size, void *stream) {
    memcpy(target, (void *)source, size);
    DONE("cuMemcpyDtoHAsync_v2", "%zu %p", size, stream);
}
int cuStreamCreate(void **stream, unsigned flags) {
    *stream = (void *)0x7700000055;
    DONE("cuStreamCreate", "%u", flags);
}
int cuStreamDestroy_v2(void *stream) { DONE("cuStreamDestroy_v2", "%p", stream); }
int cuStreamSynchronize(void *stream) { DONE("cuStreamSynchronize", "%p", stream); }
int cuStreamBeginCapture_v2(void *stream, int mode) {
    DONE("cuStreamBeginCapture_v2", "%p %d", stream, mode);
}
int cuStreamEndCapture(void *stream, void **graph) {
    *graph = (void *)0x8800000066;
    DONE("cuStreamEndCapture", "%p", stream);
}
int cuGraphInstantiateWithFlags(void **ready, void *graph, unsigned long long flags) {
    *ready = (void *)0x9900000077;
    DONE("cuGraphInstantiateWithFlags", "%p %llu", graph, flags);
}
int cuGraphLaunch(void *ready, void *stream) { DONE("cuGraphLaunch", "%p %p", ready, stream); }
int cuGraphDestroy(void *graph) { DONE("cuGraphDestroy", "%p", graph); }
int cuGraphExecDestroy(void *ready) { DONE("cuGraphExecDestroy", "%p", ready); }
int cuGetErrorName(int code, const char **text) { *text = code == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_X"; return 0; }
int cuGetErrorString(int code, const char **text) { (void)code; *text = "went wrong"; return 0; }
