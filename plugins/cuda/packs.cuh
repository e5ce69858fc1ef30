//! Vectorised access: packs of elements that move 16 bytes at a time, read as float32.
#ifndef SPIKEHALT_PACKS_CUH
#define SPIKEHALT_PACKS_CUH

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

namespace spikehalt
{

constexpr int32_t kVECTOR_BYTES = 16;

//! `N` neighbouring elements, aligned for the widest access they allow.
template <typename T, int32_t N>
struct alignas(sizeof(T) * N > kVECTOR_BYTES ? kVECTOR_BYTES : sizeof(T) * N) Pack
{
    T values[N];
};

__device__ __forceinline__ float toFloat(float value)
{
    return value;
}

__device__ __forceinline__ float toFloat(__half value)
{
    return __half2float(value);
}

template <typename T>
__device__ __forceinline__ T fromFloat(float value)
{
    return static_cast<T>(value);
}

template <>
__device__ __forceinline__ __half fromFloat<__half>(float value)
{
    return __float2half_rn(value);
}

//! Read `N` elements at `source` into float registers.
template <typename T, int32_t N>
__device__ __forceinline__ void load(float (&values)[N], T const* source)
{
    Pack<T, N> const pack = *reinterpret_cast<Pack<T, N> const*>(source);
#pragma unroll
    for (int32_t i = 0; i < N; ++i)
    {
        values[i] = toFloat(pack.values[i]);
    }
}

//! Write `N` float registers to `target` in its own type.
template <typename T, int32_t N>
__device__ __forceinline__ void store(T* target, float const (&values)[N])
{
    Pack<T, N> pack;
#pragma unroll
    for (int32_t i = 0; i < N; ++i)
    {
        pack.values[i] = fromFloat<T>(values[i]);
    }
    *reinterpret_cast<Pack<T, N>*>(target) = pack;
}

//! Elements of `T` in one 16-byte access.
template <typename T>
constexpr int32_t vectorWidth()
{
    return kVECTOR_BYTES / static_cast<int32_t>(sizeof(T));
}

} // namespace spikehalt

#endif
