/* A CUDA driver without a GPU: enough of libcuda.so for Taichi to compile kernels, none to run any.
 *
 * Every function that Taichi 1.7 loads is here and succeeds. Device memory is the host's, and starts
 * as zeros; launches do nothing, so what kernels would have written stays as it was. The PTX of each
 * module goes to module_0000.ptx, module_0001.ptx ... in the folder named by STUB_PTX_FOLDER;
 * STUB_COMPUTE_CAPABILITY is that of the device, such as 86.
 *
 * Build: cc -shared -fPIC -o libcuda.so stub_libcuda.c
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  SUCCESS = 0,
  ERROR_OUT_OF_MEMORY = 2,
  ERROR_OPERATING_SYSTEM = 304,
};

enum { /* CUdevice_attribute */
  MAX_THREADS_PER_BLOCK = 1,
  MAX_BLOCK_DIM_X = 2,
  MAX_SHARED_MEMORY_PER_BLOCK = 8,
  WARP_SIZE = 10,
  MULTIPROCESSOR_COUNT = 16,
  MAX_THREADS_PER_MULTIPROCESSOR = 39,
  COMPUTE_CAPABILITY_MAJOR = 75,
  COMPUTE_CAPABILITY_MINOR = 76,
  MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
  MAX_BLOCKS_PER_MULTIPROCESSOR = 106,
  MEMORY_POOLS_SUPPORTED = 115,
};

static const size_t MEMORY_BYTES = (size_t)8 << 30;
static int object; /* Whatever a handle points to. */

static int compute_capability(void) {
  const char *text = getenv("STUB_COMPUTE_CAPABILITY");
  return text ? atoi(text) : 86;
}

static int make_handle(void **handle) {
  *handle = &object;
  return SUCCESS;
}

static int allocate(void **memory, size_t bytes) {
  *memory = calloc(bytes ? bytes : 1, 1);
  return *memory ? SUCCESS : ERROR_OUT_OF_MEMORY;
}

static int copy(void *to, const void *from, size_t bytes) {
  memmove(to, from, bytes);
  return SUCCESS;
}

/* The device. */

int cuDriverGetVersion(int *version) { return *version = 12000, SUCCESS; }
int cuDeviceGetCount(int *count) { return *count = 1, SUCCESS; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, SUCCESS; }

int cuDeviceGetName(char *name, int size, int device) {
  (void)device;
  snprintf(name, (size_t)size, "stub of compute capability %d", compute_capability());
  return SUCCESS;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  (void)device;
  switch (attribute) {
    case MAX_THREADS_PER_BLOCK:
    case MAX_BLOCK_DIM_X: *value = 1024; break;
    case MAX_SHARED_MEMORY_PER_BLOCK: *value = 48 << 10; break;
    case WARP_SIZE: *value = 32; break;
    case MULTIPROCESSOR_COUNT: *value = 64; break;
    case MAX_THREADS_PER_MULTIPROCESSOR: *value = 1536; break;
    case COMPUTE_CAPABILITY_MAJOR: *value = compute_capability() / 10; break;
    case COMPUTE_CAPABILITY_MINOR: *value = compute_capability() % 10; break;
    case MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = 99 << 10; break;
    case MAX_BLOCKS_PER_MULTIPROCESSOR: *value = 16; break;
    case MEMORY_POOLS_SUPPORTED: *value = 1; break;
    default: *value = 0;
  }
  return SUCCESS;
}

int cuGetErrorName(int error, const char **text) { return (void)error, *text = "stub", SUCCESS; }
int cuGetErrorString(int error, const char **text) { return cuGetErrorName(error, text); }

/* Handles, and calls that only have to succeed. Callers pass arguments, which C lets us ignore. */

int cuCtxCreate_v2(void **context) { return make_handle(context); }
int cuCtxGetCurrent(void **context) { return make_handle(context); }
int cuDevicePrimaryCtxRetain(void **context) { return make_handle(context); }
int cuDeviceGetDefaultMemPool(void **pool) { return make_handle(pool); }
int cuStreamCreate(void **stream) { return make_handle(stream); }
int cuEventCreate(void **event) { return make_handle(event); }
int cuModuleGetFunction(void **function) { return make_handle(function); }

#define SUCCEEDS(name) \
  int name(void) { return SUCCESS; }
SUCCEEDS(cuInit)
SUCCEEDS(cuCtxSetCurrent)
SUCCEEDS(cuCtxSetLimit)
SUCCEEDS(cuMemPoolSetAttribute)
SUCCEEDS(cuMemAdvise)
SUCCEEDS(cuPointerGetAttribute)
SUCCEEDS(cuFuncSetAttribute)
SUCCEEDS(cuLaunchKernel)
SUCCEEDS(cuStreamSynchronize)
SUCCEEDS(cuEventDestroy)
SUCCEEDS(cuEventRecord)
SUCCEEDS(cuEventSynchronize)
SUCCEEDS(cuImportExternalMemory)
SUCCEEDS(cuImportExternalSemaphore)
SUCCEEDS(cuExternalMemoryGetMappedBuffer)
SUCCEEDS(cuExternalMemoryGetMappedMipmappedArray)
SUCCEEDS(cuMipmappedArrayGetLevel)
SUCCEEDS(cuSurfObjectCreate)
SUCCEEDS(cuSignalExternalSemaphoresAsync)
SUCCEEDS(cuWaitExternalSemaphoresAsync)

int cuEventElapsedTime(float *milliseconds) { return *milliseconds = 1, SUCCESS; }
int cuFuncGetAttribute(int *value) { return *value = 0, SUCCESS; }
int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks) { return *blocks = 1, SUCCESS; }

/* Memory. */

int cuMemAlloc_v2(void **memory, size_t bytes) { return allocate(memory, bytes); }
int cuMemAllocManaged(void **memory, size_t bytes) { return allocate(memory, bytes); }
int cuMemAllocAsync(void **memory, size_t bytes) { return allocate(memory, bytes); }
int cuMemFree_v2(void *memory) { return free(memory), SUCCESS; }
int cuMemFreeAsync(void *memory) { return free(memory), SUCCESS; }
int cuMemcpyHtoD_v2(void *to, const void *from, size_t bytes) { return copy(to, from, bytes); }
int cuMemcpyDtoH_v2(void *to, const void *from, size_t bytes) { return copy(to, from, bytes); }
int cuMemcpyDtoD_v2(void *to, const void *from, size_t bytes) { return copy(to, from, bytes); }
int cuMemcpyHtoDAsync_v2(void *to, const void *from, size_t bytes) { return copy(to, from, bytes); }
int cuMemcpyDtoHAsync_v2(void *to, const void *from, size_t bytes) { return copy(to, from, bytes); }

int cuMemGetInfo_v2(size_t *free_bytes, size_t *total_bytes) {
  *free_bytes = *total_bytes = MEMORY_BYTES;
  return SUCCESS;
}

int cuMemsetD8_v2(void *memory, unsigned char value, size_t count) {
  memset(memory, value, count);
  return SUCCESS;
}

int cuMemsetD32_v2(uint32_t *memory, uint32_t value, size_t count) {
  for (size_t i = 0; i < count; i++) memory[i] = value;
  return SUCCESS;
}

/* What all this is for. */

int cuModuleLoadDataEx(void **module, const char *ptx) {
  static int num_modules = 0;
  const char *folder = getenv("STUB_PTX_FOLDER");
  char path[4096];
  snprintf(path, sizeof path, "%s/module_%04d.ptx", folder ? folder : ".", num_modules++);
  FILE *file = fopen(path, "w");
  if (!file) return ERROR_OPERATING_SYSTEM;
  const int failed = fputs(ptx, file) < 0;
  if (fclose(file) || failed) return ERROR_OPERATING_SYSTEM;
  return make_handle(module);
}
