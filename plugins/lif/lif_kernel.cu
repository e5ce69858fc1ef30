//! LIF: each thread carries 16 bytes of neurons through all timesteps in registers, so that every
//! byte of x, v, spike and vNext crosses the memory bus once.
#include "../cuda/launch.cuh"
#include "../cuda/packs.cuh"
#include "lif_math.h"

namespace spikehalt
{
namespace
{

constexpr int32_t kTHREADS = 256;

//! Carry `N` neurons that begin at element `first`; x, spike and vNext are whole tensors.
//! v and vNext may be one tensor; x and spike are apart, so that later steps can be read early.
template <typename T, typename S, int32_t N>
__device__ __forceinline__ void carry(SpikehaltLifParams const& params, int64_t first,
    T const* __restrict__ x, T const* v, S* __restrict__ spike, T* vNext)
{
    float state[N];
    if (params.oneState)
    {
        float const value = toFloat(v[0]);
#pragma unroll
        for (int32_t i = 0; i < N; ++i)
        {
            state[i] = value;
        }
    }
    else
    {
        load<T, N>(state, v + first);
    }
#pragma unroll 4
    for (int32_t step = 0; step < params.steps; ++step)
    {
        int64_t const offset = step * params.elements + first;
        float values[N];
        load<T, N>(values, x + offset);
#pragma unroll
        for (int32_t i = 0; i < N; ++i)
        {
            values[i] = lifStep(state[i], values[i], params);
        }
        store<S, N>(spike + offset, values);
    }
    store<T, N>(vNext + first, state);
}

template <typename T, typename S, int32_t N>
__global__ void __launch_bounds__(kTHREADS)
    lifKernel(SpikehaltLifParams params, T const* __restrict__ x, T const* v, S* __restrict__ spike, T* vNext)
{
    int64_t const first = (static_cast<int64_t>(blockIdx.x) * kTHREADS + threadIdx.x) * N;
    if (first + N <= params.elements)
    {
        carry<T, S, N>(params, first, x, v, spike, vNext);
        return;
    }
    for (int64_t i = first; i < params.elements; ++i)
    {
        carry<T, S, 1>(params, i, x, v, spike, vNext);
    }
}

template <typename T, typename S>
int32_t launchLif(
    SpikehaltLifParams const& params, void const* x, void const* v, void* spike, void* vNext, void* stream)
{
    constexpr int32_t kWIDTH = vectorWidth<T>();
    bool const statesAligned = params.oneState || aligned({v});
    // From the second step on a row starts at a multiple of `elements`.
    bool const rowsAligned = params.steps == 1 || params.elements % kWIDTH == 0;
    bool const wide = statesAligned && rowsAligned && aligned({x, spike, vNext});
    auto* const kernel = wide ? &lifKernel<T, S, kWIDTH> : &lifKernel<T, S, 1>;
    int64_t const perBlock = static_cast<int64_t>(kTHREADS) * (wide ? kWIDTH : 1);
    return launch(kernel, ceilDivide(params.elements, perBlock), kTHREADS, 0, stream, params,
        static_cast<T const*>(x), static_cast<T const*>(v), static_cast<S*>(spike), static_cast<T*>(vNext));
}

template <typename T>
int32_t launchForSpikes(
    SpikehaltLifParams const& params, void const* x, void const* v, void* spike, void* vNext, void* stream)
{
    switch (params.spikeType)
    {
    case kSPIKEHALT_FLOAT32: return launchLif<T, float>(params, x, v, spike, vNext, stream);
    case kSPIKEHALT_FLOAT16: return launchLif<T, __half>(params, x, v, spike, vNext, stream);
    case kSPIKEHALT_INT8: return launchLif<T, int8_t>(params, x, v, spike, vNext, stream);
    default: return kSPIKEHALT_BAD_TYPE;
    }
}

} // namespace
} // namespace spikehalt

int32_t spikehaltLif(SpikehaltLifParams const* params, void const* x, void const* v, void* spike,
    void* vNext, void* stream)
{
    using namespace spikehalt;
    if (params == nullptr)
    {
        return kSPIKEHALT_NULL_POINTER;
    }
    if (params->steps < 1 || !productFits({params->steps, params->elements}))
    {
        return kSPIKEHALT_BAD_SHAPE;
    }
    if (params->elements == 0)
    {
        return kSPIKEHALT_OK;
    }
    if (anyNull({x, v, spike, vNext}))
    {
        return kSPIKEHALT_NULL_POINTER;
    }
    switch (params->type)
    {
    case kSPIKEHALT_FLOAT32: return launchForSpikes<float>(*params, x, v, spike, vNext, stream);
    case kSPIKEHALT_FLOAT16: return launchForSpikes<__half>(*params, x, v, spike, vNext, stream);
    default: return kSPIKEHALT_BAD_TYPE;
    }
}
