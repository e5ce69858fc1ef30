//! TokenHalt: score, accumulation, mask and weighted readout in one pass over x.
//!
//! Both kernels give a token to a group of lanes; each lane works the token's few scalars out for
//! itself (the loads are broadcasts), which is cheaper than handing them round. Dead tokens are
//! not read at all.
#include "../cuda/launch.cuh"
#include "../cuda/packs.cuh"
#include "token_halt_math.h"

namespace spikehalt
{
namespace
{

constexpr int32_t kTHREADS = 256;
constexpr int32_t kWARP = 32;

using Params = SpikehaltTokenHaltParams;
using Tensors = SpikehaltTokenHaltTensors;

//! Work out one token; the lane with `writes` also stores its next state.
template <typename T>
__device__ __forceinline__ float weighToken(
    Params const& params, Tensors const& tensors, int64_t token, bool writes)
{
    int32_t const live = tensors.live[token];
    float h = 0.0F;
    if (live)
    {
        float const first = toFloat(static_cast<T const*>(tensors.x)[token * params.width]);
        h = haltScore(first, tensors.size[token], params);
    }
    HaltState const next
        = haltToken(h, tensors.hist[token], tensors.cum[token], live, tensors.epsilon[0], params);
    if (writes)
    {
        tensors.histNext[token] = next.hist;
        tensors.cumNext[token] = next.cum;
        tensors.liveNext[token] = next.live;
    }
    return next.weight;
}

//! One readout row per token: `lanes` (a power of two, at most a warp) threads per token.
template <typename T, int32_t N>
__global__ void __launch_bounds__(kTHREADS)
    tokenHaltKernel(Params params, Tensors tensors, int32_t lanes)
{
    int64_t const token = static_cast<int64_t>(blockIdx.x) * (kTHREADS / lanes) + threadIdx.x / lanes;
    if (token >= params.images * params.tokens)
    {
        return;
    }
    int32_t const lane = static_cast<int32_t>(threadIdx.x) % lanes;
    T const* const row = static_cast<T const*>(tensors.x) + token * params.width;
    float* const readout = tensors.readout + token * params.width;
    bool const live = tensors.live[token] != 0;
    float const weight = weighToken<T>(params, tensors, token, lane == 0);
#pragma unroll 4
    for (int64_t column = static_cast<int64_t>(lane) * N; column < params.width; column += lanes * N)
    {
        float values[N] = {};
        if (live)
        {
            load<T, N>(values, row + column);
        }
#pragma unroll
        for (int32_t i = 0; i < N; ++i)
        {
            values[i] *= weight;
        }
        store<float, N>(readout + column, values);
    }
}

constexpr int32_t kSUM_LANES = 16;
constexpr int32_t kSUM_ROWS = kTHREADS / kSUM_LANES;

//! The readout summed over the tokens: a block per image and slice of columns; its 16 rows of 16
//! lanes take every 16th token each and are added up in a fixed order.
template <typename T, int32_t N>
__global__ void __launch_bounds__(kTHREADS)
    tokenHaltSumKernel(Params params, Tensors tensors, int32_t slices)
{
    constexpr int32_t kCOLUMNS = kSUM_LANES * N;
    __shared__ float partial[kSUM_ROWS][kCOLUMNS];
    int64_t const image = blockIdx.x / slices;
    int32_t const slice = static_cast<int32_t>(blockIdx.x % slices);
    int32_t const lane = static_cast<int32_t>(threadIdx.x) % kSUM_LANES;
    int32_t const row = static_cast<int32_t>(threadIdx.x) / kSUM_LANES;
    int64_t const column = static_cast<int64_t>(slice) * kCOLUMNS + lane * N;
    float sums[N] = {};
    for (int64_t k = row; k < params.tokens; k += kSUM_ROWS)
    {
        int64_t const token = image * params.tokens + k;
        float const weight = weighToken<T>(params, tensors, token, slice == 0 && lane == 0);
        if (tensors.live[token] && column < params.width)
        {
            float values[N];
            load<T, N>(values, static_cast<T const*>(tensors.x) + token * params.width + column);
#pragma unroll
            for (int32_t i = 0; i < N; ++i)
            {
                sums[i] += weight * values[i];
            }
        }
    }
#pragma unroll
    for (int32_t i = 0; i < N; ++i)
    {
        partial[row][lane * N + i] = sums[i];
    }
    __syncthreads();
    int32_t const own = static_cast<int32_t>(threadIdx.x);
    int64_t const ownColumn = static_cast<int64_t>(slice) * kCOLUMNS + own;
    if (own < kCOLUMNS && ownColumn < params.width)
    {
        float sum = 0.0F;
        for (int32_t part = 0; part < kSUM_ROWS; ++part)
        {
            sum += partial[part][own];
        }
        tensors.readout[image * params.width + ownColumn] = sum;
    }
}

//! Threads per token: enough for one access each, at most a warp.
int32_t lanesFor(int64_t accesses)
{
    int32_t lanes = 1;
    while (lanes < kWARP && lanes < accesses)
    {
        lanes *= 2;
    }
    return lanes;
}

template <typename T, int32_t N>
int32_t launchRows(Params const& params, Tensors const& tensors, void* stream)
{
    int32_t const lanes = lanesFor(ceilDivide(params.width, N));
    int64_t const blocks = ceilDivide(params.images * params.tokens, kTHREADS / lanes);
    return launch(&tokenHaltKernel<T, N>, blocks, kTHREADS, 0, stream, params, tensors, lanes);
}

template <typename T, int32_t N>
int32_t launchSum(Params const& params, Tensors const& tensors, void* stream)
{
    int64_t const slices = ceilDivide(params.width, kSUM_LANES * N);
    if (slices > kMAX_BLOCKS)
    {
        return kSPIKEHALT_BAD_SHAPE;
    }
    return launch(&tokenHaltSumKernel<T, N>, params.images * slices, kTHREADS, 0, stream, params,
        tensors, static_cast<int32_t>(slices));
}

template <typename T>
int32_t launchHalt(Params const& params, Tensors const& tensors, bool sum, void* stream)
{
    constexpr int32_t kWIDTH = vectorWidth<T>();
    if (params.width % kWIDTH == 0 && aligned({tensors.x, tensors.readout}))
    {
        return sum ? launchSum<T, kWIDTH>(params, tensors, stream)
                   : launchRows<T, kWIDTH>(params, tensors, stream);
    }
    return sum ? launchSum<T, 1>(params, tensors, stream) : launchRows<T, 1>(params, tensors, stream);
}

bool anyNullIn(Tensors const& tensors)
{
    return anyNull({tensors.x, tensors.size, tensors.hist, tensors.cum, tensors.live, tensors.epsilon,
        tensors.readout, tensors.histNext, tensors.cumNext, tensors.liveNext});
}

int32_t checkAndLaunch(Params const* params, Tensors const* tensors, bool sum, void* stream)
{
    if (params == nullptr || tensors == nullptr)
    {
        return kSPIKEHALT_NULL_POINTER;
    }
    // Without tokens the whole product is 0, but the sum's readout is images * width all the same.
    bool const fits = productFits({params->images, params->tokens, params->width})
        && productFits({params->images, params->width});
    if (params->width < 1 || !fits)
    {
        return kSPIKEHALT_BAD_SHAPE;
    }
    // With no tokens at all the sum still has to be written: as zeros.
    if (params->images == 0 || (params->tokens == 0 && !sum))
    {
        return kSPIKEHALT_OK;
    }
    if (params->tokens > 0 ? anyNullIn(*tensors) : tensors->readout == nullptr)
    {
        return kSPIKEHALT_NULL_POINTER;
    }
    switch (params->type)
    {
    case kSPIKEHALT_FLOAT32: return launchHalt<float>(*params, *tensors, sum, stream);
    case kSPIKEHALT_FLOAT16: return launchHalt<__half>(*params, *tensors, sum, stream);
    default: return kSPIKEHALT_BAD_TYPE;
    }
}

} // namespace
} // namespace spikehalt

int32_t spikehaltTokenHalt(
    SpikehaltTokenHaltParams const* params, SpikehaltTokenHaltTensors const* tensors, void* stream)
{
    return spikehalt::checkAndLaunch(params, tensors, false, stream);
}

int32_t spikehaltTokenHaltSum(
    SpikehaltTokenHaltParams const* params, SpikehaltTokenHaltTensors const* tensors, void* stream)
{
    return spikehalt::checkAndLaunch(params, tensors, true, stream);
}
