//! Host side of a launch: argument checks, block counts, the launch itself.
#ifndef SPIKEHALT_LAUNCH_CUH
#define SPIKEHALT_LAUNCH_CUH

#include "kernel_api.h"

#include <cuda_runtime.h>

#include <cstdint>
#include <initializer_list>
#include <limits>

//! Declare shared memory whose size is given at the launch.
#ifndef SPIKEHALT_DYNAMIC_SHARED
#define SPIKEHALT_DYNAMIC_SHARED(name) extern __shared__ __align__(16) uint8_t name[]
#endif

namespace spikehalt
{

constexpr int64_t kMAX_BLOCKS = std::numeric_limits<int32_t>::max();

template <typename T>
struct Exactly
{
    using type = T;
};

//! Launch without the chevron syntax, so that any C++ compiler reads the kernels.
template <typename... Parameters>
int32_t launch(void (*kernel)(Parameters...), int64_t blocks, int32_t threads, size_t sharedBytes,
    void* stream, typename Exactly<Parameters>::type... arguments)
{
    if (blocks > kMAX_BLOCKS)
    {
        return kSPIKEHALT_BAD_SHAPE;
    }
    void* pointers[] = {static_cast<void*>(&arguments)...};
    return static_cast<int32_t>(cudaLaunchKernel(kernel, dim3(static_cast<uint32_t>(blocks)),
        dim3(static_cast<uint32_t>(threads)), pointers, sharedBytes, static_cast<cudaStream_t>(stream)));
}

inline int64_t ceilDivide(int64_t total, int64_t part)
{
    return total / part + (total % part != 0);
}

//! Whether every pointer can be read 16 bytes at a time.
inline bool aligned(std::initializer_list<void const*> pointers)
{
    for (void const* pointer : pointers)
    {
        if (reinterpret_cast<uintptr_t>(pointer) % 16 != 0)
        {
            return false;
        }
    }
    return true;
}

inline bool anyNull(std::initializer_list<void const*> pointers)
{
    for (void const* pointer : pointers)
    {
        if (pointer == nullptr)
        {
            return true;
        }
    }
    return false;
}

//! Whether the product of sizes is representable; every size must be non-negative.
inline bool productFits(std::initializer_list<int64_t> sizes)
{
    int64_t product = 1;
    for (int64_t size : sizes)
    {
        if (size < 0 || (size > 0 && product > std::numeric_limits<int64_t>::max() / 16 / size))
        {
            return false;
        }
        product *= size;
    }
    return true;
}

} // namespace spikehalt

#endif
