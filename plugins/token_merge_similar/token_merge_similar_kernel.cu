//! TokenMergeSimilar in two launches: match even tokens with their best odd ones, then merge.
#include "../token_merge/token_merge_match.cuh"
#include "token_merge_similar_kernel.h"

namespace spikehalt
{
namespace
{

using Params = SpikehaltTokenMergeSimilarParams;
using Tensors = SpikehaltTokenMergeSimilarTensors;

//! All even tokens are matched.
struct EvenPositions
{
    int32_t tokens;

    __device__ __forceinline__ int32_t count() const
    {
        return evenCount(tokens);
    }
    __device__ __forceinline__ int32_t position(int64_t, int32_t index) const
    {
        return 2 * index;
    }
};

__host__ __device__ __forceinline__ Matches matchesOf(Params const& params, Tensors const& tensors)
{
    return matchesIn(tensors.workspace, params.images * evenCount(params.tokens));
}

//! In `Sources::goal`: the token stays.
constexpr int32_t kSTAYS = -2;

//! The even tokens of one image in shared memory.
struct Sources
{
    int32_t* goal; //!< [evenCount] where the token goes: a position, kNO_TARGET: nowhere, or kSTAYS
};

__host__ __device__ __forceinline__ size_t tableBytes(Params const& params)
{
    return sizeof(int32_t) * static_cast<size_t>(evenCount(params.tokens));
}

//! Where the even token in `slot` goes.
__device__ __forceinline__ int32_t goalOf(
    Params const& params, Tensors const& tensors, int64_t image, int32_t slot)
{
    int64_t const token = image * params.tokens + 2 * slot;
    int64_t const match = image * evenCount(params.tokens) + slot;
    Matches const matches = matchesOf(params, tensors);
    int32_t const target = matches.target[match];
    bool const live = tensors.live[token] != 0;
    if (params.oneSource)
    {
        return live && isSimilar(matches.similarity[match], target, params.threshold) ? target : kSTAYS;
    }
    if (tensors.source[token] <= 0)
    {
        return kSTAYS;
    }
    return live ? target : kNO_TARGET;
}

//! Call `visit` with every source that merges into `position`, ascending; even positions have none.
template <typename Visit>
__device__ __forceinline__ void forEachMerged(
    Params const& params, Sources const& sources, int32_t position, int32_t lane, Visit const& visit)
{
    if (position % 2 == 0)
    {
        return;
    }
    for (int32_t base = 0; base < evenCount(params.tokens); base += kWARP)
    {
        bool const mine = base + lane < evenCount(params.tokens) && sources.goal[base + lane] == position;
        for (uint32_t lanes = __ballot_sync(kALL_LANES, mine); lanes != 0; lanes &= lanes - 1)
        {
            visit(2 * (base + __ffs(static_cast<int32_t>(lanes)) - 1));
        }
    }
}

//! Write the row at `position`, with what merges into it. The whole warp takes part.
template <typename T, int32_t N>
__device__ __forceinline__ void writeRow(Params const& params, Tensors const& tensors, int64_t image,
    Sources const& sources, int32_t position, int32_t lane)
{
    int64_t const first = image * params.tokens;
    bool const gone = position % 2 == 0 && sources.goal[position / 2] != kSTAYS;
    T const* const tokens = static_cast<T const*>(tensors.x) + first * params.width;
    for (int64_t start = 0; start < params.width; start += kWARP * N)
    {
        int64_t const column = start + static_cast<int64_t>(lane) * N;
        float sums[N] = {};
        if (column < params.width && !gone)
        {
            load<T, N>(sums, tokens + position * params.width + column);
        }
        forEachMerged(params, sources, position, lane, [&](int32_t source) {
            if (column < params.width)
            {
                float values[N];
                load<T, N>(values, tokens + source * params.width + column);
#pragma unroll
                for (int32_t n = 0; n < N; ++n)
                {
                    sums[n] += values[n];
                }
            }
        });
        if (column < params.width)
        {
            store<T, N>(static_cast<T*>(tensors.xNext) + (first + position) * params.width + column, sums);
        }
    }
    float size = tensors.size[first + position];
    forEachMerged(params, sources, position, lane, [&](int32_t source) { size += tensors.size[first + source]; });
    if (lane == 0)
    {
        tensors.sizeNext[first + position] = size;
        tensors.liveNext[first + position] = gone ? 0 : tensors.live[first + position];
        tensors.sourceOut[first + position] = gone ? 1 : 0;
    }
}

//! Second launch: where the tokens go, then a warp per row.
template <typename T, int32_t N>
__global__ void __launch_bounds__(kTHREADS)
    mergeSimilarKernel(Params params, Tensors tensors, int32_t blocksPerImage)
{
    SPIKEHALT_DYNAMIC_SHARED(memory);
    Sources const sources{reinterpret_cast<int32_t*>(memory)};
    int64_t const image = blockIdx.x / blocksPerImage;
    int32_t const block = static_cast<int32_t>(blockIdx.x % blocksPerImage);
    int32_t const lane = static_cast<int32_t>(threadIdx.x) % kWARP;
    int32_t const warp = static_cast<int32_t>(threadIdx.x) / kWARP;
    for (int32_t slot = static_cast<int32_t>(threadIdx.x); slot < evenCount(params.tokens); slot += kTHREADS)
    {
        sources.goal[slot] = goalOf(params, tensors, image, slot);
    }
    __syncthreads();
    for (int32_t position = block * kWARPS + warp; position < params.tokens; position += blocksPerImage * kWARPS)
    {
        writeRow<T, N>(params, tensors, image, sources, position, lane);
    }
}

template <typename T, int32_t N>
int32_t launchMerge(Params const& params, Tensors const& tensors, void* stream)
{
    TokenRows const rows{params.images, params.width, params.tokens, tensors.x, tensors.live};
    EvenPositions const wanted{params.tokens};
    int32_t const code = launchMatch<T, N>(rows, matchesOf(params, tensors), wanted, stream);
    if (code != kSPIKEHALT_OK)
    {
        return code;
    }
    int32_t const blocks = blocksForRows(params.tokens);
    return launch(&mergeSimilarKernel<T, N>, params.images * blocks, kTHREADS, tableBytes(params), stream, params,
        tensors, blocks);
}

template <typename T>
int32_t launchForWidth(Params const& params, Tensors const& tensors, void* stream)
{
    constexpr int32_t kWIDTH = vectorWidth<T>();
    bool const wide = params.width % kWIDTH == 0 && aligned({tensors.x, tensors.xNext});
    return wide ? launchMerge<T, kWIDTH>(params, tensors, stream) : launchMerge<T, 1>(params, tensors, stream);
}

int32_t check(Params const& params)
{
    bool const tokensFit = params.tokens >= 2 && params.tokens <= kSPIKEHALT_MAX_SIMILAR_TOKENS;
    if (!tokensFit || params.width < 1 || !productFits({params.images, params.tokens, params.width}))
    {
        return kSPIKEHALT_BAD_SHAPE;
    }
    bool const cosine = params.threshold > 0.0F && params.threshold <= 1.0F;
    return cosine ? kSPIKEHALT_OK : kSPIKEHALT_BAD_ATTRIBUTE;
}

} // namespace
} // namespace spikehalt

size_t spikehaltTokenMergeSimilarWorkspace(SpikehaltTokenMergeSimilarParams const* params)
{
    using namespace spikehalt;
    if (params == nullptr || check(*params) != kSPIKEHALT_OK)
    {
        return 0;
    }
    return matchBytes(params->images, params->tokens);
}

int32_t spikehaltTokenMergeSimilar(
    SpikehaltTokenMergeSimilarParams const* params, SpikehaltTokenMergeSimilarTensors const* tensors, void* stream)
{
    using namespace spikehalt;
    if (params == nullptr || tensors == nullptr)
    {
        return kSPIKEHALT_NULL_POINTER;
    }
    int32_t const code = check(*params);
    if (code != kSPIKEHALT_OK || params->images == 0)
    {
        return code;
    }
    if (anyNull({tensors->x, tensors->size, tensors->live, tensors->source, tensors->xNext, tensors->sizeNext,
            tensors->liveNext, tensors->sourceOut, tensors->workspace}))
    {
        return kSPIKEHALT_NULL_POINTER;
    }
    if (tensors->workspaceBytes < spikehaltTokenMergeSimilarWorkspace(params))
    {
        return kSPIKEHALT_SMALL_WORKSPACE;
    }
    switch (params->type)
    {
    case kSPIKEHALT_FLOAT32: return launchForWidth<float>(*params, *tensors, stream);
    case kSPIKEHALT_FLOAT16: return launchForWidth<__half>(*params, *tensors, stream);
    default: return kSPIKEHALT_BAD_TYPE;
    }
}
