/* A CUDA driver without a GPU, for what loads libcuda.so.1 itself, such as Triton; as stand_in.c.
 *
 * Functions that are not defined here, and return 0, are made by __init__.py from CUDA's header.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static int handle(void **made) {
  *made = calloc(1, 4096);
  return 0;
}
static int nothing(void) { return 0; }

int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuDeviceGetCount(int *count) { *count = 1; return 0; }
int cuDeviceGet(int *device, int which) { *device = 0; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strcpy(name, "stand-in"); return 0; }
int cuDeviceTotalMem_v2(size_t *size, int device) { *size = 8ull << 30; return 0; }
int cuDeviceGetAttribute(int *value, int which, int device) {
  switch (which) {
    case 75: *value = 8; break;       /* compute capability */
    case 76: *value = 6; break;
    case 16: *value = 80; break;      /* multiprocessors */
    case 10: *value = 32; break;      /* threads of a warp */
    case 8: *value = 49152; break;    /* shared memory of a block, and at most */
    case 97: *value = 101376; break;
    case 12: case 82: *value = 65536; break; /* registers */
    default: *value = 1024;
  }
  return 0;
}
int cuCtxGetCurrent(void **context) { return handle(context); }
int cuCtxGetDevice(int *device) { *device = 0; return 0; }
int cuDevicePrimaryCtxRetain(void **context, int device) { return handle(context); }
int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
  *flags = 0;
  *active = 1;
  return 0;
}
int cuModuleLoadData(void **module, const void *image) { return handle(module); }
int cuModuleLoadDataEx(void **module, const void *image, unsigned count, void *options, void *values) {
  return handle(module);
}
int cuModuleGetFunction(void **function, void *module, const char *name) { return handle(function); }
int cuLibraryLoadData(void **library) { return handle(library); }
int cuLibraryGetKernel(void **kernel, void *library, const char *name) { return handle(kernel); }
int cuKernelGetFunction(void **function, void *kernel) { *function = kernel; return 0; }
int cuFuncGetAttribute(int *value, int which, void *function) {
  *value = which == 4 ? 32 : which == 0 ? 1024 : 0; /* registers, threads of a block */
  return 0;
}
int cuPointerGetAttribute(void *found, int which, unsigned long long address) {
  if (which == 3)
    *(unsigned long long *)found = address; /* on the device */
  else
    *(int *)found = which == 2 ? 2 : 0; /* the kind of its memory: the device's */
  return 0;
}
int cuOccupancyMaxActiveClusters(int *count) { *count = 1; return 0; }
int cuTensorMapEncodeTiled(void) { return 1; }
int cuGetErrorString(int code, const char **text) { *text = "an error of the stand-in"; return 0; }
int cuGetErrorName(int code, const char **text) { *text = "STAND_IN"; return 0; }
int cuGetProcAddress_v2(const char *name, void **function, int version, unsigned long long flags, int *found) {
  *function = dlsym(RTLD_DEFAULT, name);
  if (*function == NULL) *function = (void *)nothing;
  if (found != NULL) *found = 0;
  return 0;
}
int cuGetProcAddress(const char *name, void **function, int version, unsigned long long flags) {
  return cuGetProcAddress_v2(name, function, version, flags, NULL);
}
