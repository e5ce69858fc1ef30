//! TokenMerge in two launches: match every even token with its best odd one, then select and merge.
//!
//! The selection is repeated by every block of an image, in shared memory: it is a few thousand
//! comparisons, which costs less than a third launch. All sums have a fixed order, so results are
//! the same from run to run.
#include "token_merge_kernel.h"
#include "token_merge_match.cuh"

namespace spikehalt
{
namespace
{

using Params = SpikehaltTokenMergeParams;
using Tensors = SpikehaltTokenMergeTensors;

__device__ __forceinline__ bool sourcesAreGiven(Params const& params, Tensors const& tensors)
{
    return !params.oneSource || tensors.source[0] >= 0;
}

//! Position of the `index`-th token to be matched: a given source, or any even token. Positions
//! that no source can have become 0, so that nothing outside the image is read.
__device__ __forceinline__ int32_t positionToMatch(
    Params const& params, Tensors const& tensors, bool given, int64_t image, int32_t index)
{
    int32_t position = 2 * index;
    if (given)
    {
        position = params.oneSource ? tensors.source[0] : tensors.source[image * params.gamma + index];
    }
    bool const valid = position >= 0 && position < params.tokens && position % 2 == 0;
    return valid ? position : 0;
}

//! The given sources are matched, or where none are given all even tokens.
struct WantedPositions
{
    Params params;
    Tensors tensors;

    __device__ __forceinline__ int32_t count() const
    {
        return sourcesAreGiven(params, tensors) ? params.gamma : evenCount(params.tokens);
    }
    __device__ __forceinline__ int32_t position(int64_t image, int32_t index) const
    {
        return positionToMatch(params, tensors, sourcesAreGiven(params, tensors), image, index);
    }
};

__host__ __device__ __forceinline__ Matches matchesOf(Params const& params, Tensors const& tensors)
{
    return matchesIn(tensors.workspace, params.images * evenCount(params.tokens));
}

//! The tables of one image in shared memory.
struct Tables
{
    float* priority;  //!< [evenCount]
    int32_t* target;  //!< [evenCount] where the even token merges, kNO_TARGET: nowhere
    int32_t* keep;    //!< [K - G]
    int32_t* source;  //!< [G] ascending
    uint8_t* gone;    //!< [K]
};

__host__ __device__ __forceinline__ size_t tableBytes(Params const& params)
{
    return sizeof(float) * (2 * static_cast<size_t>(evenCount(params.tokens)) + static_cast<size_t>(params.tokens))
        + static_cast<size_t>(params.tokens);
}

__device__ __forceinline__ Tables tablesIn(Params const& params, uint8_t* memory)
{
    Tables tables;
    tables.priority = reinterpret_cast<float*>(memory);
    tables.target = reinterpret_cast<int32_t*>(tables.priority + evenCount(params.tokens));
    tables.keep = tables.target + evenCount(params.tokens);
    tables.source = tables.keep + (params.tokens - params.gamma);
    tables.gone = reinterpret_cast<uint8_t*>(tables.source + params.gamma);
    return tables;
}

//! Read the matches; a dead even token merges nowhere.
__device__ __forceinline__ void readMatches(
    Params const& params, Tensors const& tensors, int64_t image, bool given, Tables const& tables)
{
    Matches const matches = matchesOf(params, tensors);
    int32_t const* const live = tensors.live + image * params.tokens;
    for (int32_t slot = static_cast<int32_t>(threadIdx.x); slot < evenCount(params.tokens); slot += kTHREADS)
    {
        // With given sources only these were matched.
        int64_t const index = image * evenCount(params.tokens) + slot;
        tables.priority[slot]
            = given ? 0.0F : mergePriority(live[2 * slot], matches.similarity[index], matches.target[index]);
        tables.target[slot] = live[2 * slot] ? matches.target[index] : kNO_TARGET;
    }
    for (int32_t position = static_cast<int32_t>(threadIdx.x); position < params.tokens; position += kTHREADS)
    {
        tables.gone[position] = 0;
    }
}

//! Mark the sources: the given ones, or the `gamma` that go first.
__device__ __forceinline__ void markSources(
    Params const& params, Tensors const& tensors, int64_t image, bool given, Tables const& tables)
{
    if (given)
    {
        for (int32_t g = static_cast<int32_t>(threadIdx.x); g < params.gamma; g += kTHREADS)
        {
            tables.gone[positionToMatch(params, tensors, true, image, g)] = 1;
        }
        return;
    }
    for (int32_t slot = static_cast<int32_t>(threadIdx.x); slot < evenCount(params.tokens); slot += kTHREADS)
    {
        float const priority = tables.priority[slot];
        int32_t before = 0;
        for (int32_t other = 0; other < evenCount(params.tokens); ++other)
        {
            before += goesBefore(tables.priority[other], other, priority, slot) ? 1 : 0;
        }
        tables.gone[2 * slot] = before < params.gamma ? 1 : 0;
    }
}

//! One warp lists survivors and sources, ascending. Input against the contract may give too many or
//! too few of them, so both lists are cut and filled to their length.
__device__ __forceinline__ void listPositions(Params const& params, Tables const& tables, int32_t lane)
{
    int32_t const kept = params.tokens - params.gamma;
    int32_t keepCount = 0;
    int32_t sourceCount = 0;
    for (int32_t base = 0; base < params.tokens; base += kWARP)
    {
        int32_t const position = base + lane;
        bool const inside = position < params.tokens;
        bool const gone = inside && tables.gone[position] != 0;
        uint32_t const keepLanes = __ballot_sync(kALL_LANES, inside && !gone);
        uint32_t const sourceLanes = __ballot_sync(kALL_LANES, gone);
        uint32_t const lower = (1U << lane) - 1U;
        int32_t const keepIndex = keepCount + __popc(keepLanes & lower);
        int32_t const sourceIndex = sourceCount + __popc(sourceLanes & lower);
        if (inside && !gone && keepIndex < kept)
        {
            tables.keep[keepIndex] = position;
        }
        if (gone && sourceIndex < params.gamma)
        {
            tables.source[sourceIndex] = position;
        }
        keepCount += __popc(keepLanes);
        sourceCount += __popc(sourceLanes);
    }
    for (int32_t index = sourceCount + lane; index < params.gamma; index += kWARP)
    {
        tables.source[index] = 0;
    }
    for (int32_t index = keepCount + lane; index < kept; index += kWARP)
    {
        tables.keep[index] = 0;
    }
}

//! Call `visit` with every source that merges into `position`, ascending; even positions have none.
template <typename Visit>
__device__ __forceinline__ void forEachMerged(
    Params const& params, Tables const& tables, int32_t position, int32_t lane, Visit const& visit)
{
    if (position % 2 == 0)
    {
        return;
    }
    for (int32_t base = 0; base < params.gamma; base += kWARP)
    {
        bool const mine = base + lane < params.gamma
            && tables.target[tables.source[base + lane] / 2] == position;
        for (uint32_t lanes = __ballot_sync(kALL_LANES, mine); lanes != 0; lanes &= lanes - 1)
        {
            visit(tables.source[base + __ffs(static_cast<int32_t>(lanes)) - 1]);
        }
    }
}

//! Write the row that survives at `index`, with what merges into it. The whole warp takes part.
template <typename T, int32_t N>
__device__ __forceinline__ void writeRow(
    Params const& params, Tensors const& tensors, int64_t image, Tables const& tables, int32_t index, int32_t lane)
{
    int32_t const position = tables.keep[index];
    int64_t const out = image * (params.tokens - params.gamma) + index;
    T const* const tokens = static_cast<T const*>(tensors.x) + image * params.tokens * params.width;
    float const* const sizes = tensors.size + image * params.tokens;
    for (int64_t start = 0; start < params.width; start += kWARP * N)
    {
        int64_t const column = start + static_cast<int64_t>(lane) * N;
        float sums[N] = {};
        if (column < params.width)
        {
            load<T, N>(sums, tokens + position * params.width + column);
        }
        forEachMerged(params, tables, position, lane, [&](int32_t source) {
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
            store<T, N>(static_cast<T*>(tensors.xNext) + out * params.width + column, sums);
        }
    }
    float size = sizes[position];
    forEachMerged(params, tables, position, lane, [&](int32_t source) { size += sizes[source]; });
    if (lane == 0)
    {
        tensors.sizeNext[out] = size;
        tensors.liveNext[out] = tensors.live[image * params.tokens + position];
        tensors.keep[out] = position;
    }
}

//! Second launch: select, then a warp per surviving row.
template <typename T, int32_t N>
__global__ void __launch_bounds__(kTHREADS)
    mergeKernel(Params params, Tensors tensors, int32_t blocksPerImage)
{
    SPIKEHALT_DYNAMIC_SHARED(memory);
    Tables const tables = tablesIn(params, memory);
    int64_t const image = blockIdx.x / blocksPerImage;
    int32_t const block = static_cast<int32_t>(blockIdx.x % blocksPerImage);
    int32_t const lane = static_cast<int32_t>(threadIdx.x) % kWARP;
    int32_t const warp = static_cast<int32_t>(threadIdx.x) / kWARP;
    bool const given = sourcesAreGiven(params, tensors);
    readMatches(params, tensors, image, given, tables);
    __syncthreads();
    markSources(params, tensors, image, given, tables);
    __syncthreads();
    if (warp == 0)
    {
        listPositions(params, tables, lane);
    }
    __syncthreads();
    int32_t const kept = params.tokens - params.gamma;
    for (int32_t index = block * kWARPS + warp; index < kept; index += blocksPerImage * kWARPS)
    {
        writeRow<T, N>(params, tensors, image, tables, index, lane);
    }
    for (int32_t g = static_cast<int32_t>(threadIdx.x); block == 0 && g < params.gamma; g += kTHREADS)
    {
        int64_t const out = image * params.gamma + g;
        tensors.sourceOut[out] = given && !params.oneSource ? tensors.source[out] : tables.source[g];
    }
}

template <typename T, int32_t N>
int32_t launchMerge(Params const& params, Tensors const& tensors, void* stream)
{
    TokenRows const rows{params.images, params.width, params.tokens, tensors.x, tensors.live};
    WantedPositions const wanted{params, tensors};
    int32_t const code = launchMatch<T, N>(rows, matchesOf(params, tensors), wanted, stream);
    if (code != kSPIKEHALT_OK)
    {
        return code;
    }
    int32_t const mergeBlocks = blocksForRows(params.tokens - params.gamma);
    return launch(&mergeKernel<T, N>, params.images * mergeBlocks, kTHREADS, tableBytes(params), stream,
        params, tensors, mergeBlocks);
}

template <typename T>
int32_t launchForWidth(Params const& params, Tensors const& tensors, void* stream)
{
    constexpr int32_t kWIDTH = vectorWidth<T>();
    bool const wide = params.width % kWIDTH == 0 && aligned({tensors.x, tensors.xNext});
    return wide ? launchMerge<T, kWIDTH>(params, tensors, stream) : launchMerge<T, 1>(params, tensors, stream);
}

int32_t checkSizes(Params const& params)
{
    bool const tokensFit = params.tokens >= 2 && params.tokens <= kSPIKEHALT_MAX_MERGE_TOKENS;
    if (!tokensFit || params.width < 1 || !productFits({params.images, params.tokens, params.width}))
    {
        return kSPIKEHALT_BAD_SHAPE;
    }
    if (params.gamma < 1 || params.gamma > params.tokens / 2)
    {
        return kSPIKEHALT_BAD_ATTRIBUTE;
    }
    return kSPIKEHALT_OK;
}

} // namespace
} // namespace spikehalt

size_t spikehaltTokenMergeWorkspace(SpikehaltTokenMergeParams const* params)
{
    using namespace spikehalt;
    if (params == nullptr || checkSizes(*params) != kSPIKEHALT_OK)
    {
        return 0;
    }
    return matchBytes(params->images, params->tokens);
}

int32_t spikehaltTokenMerge(
    SpikehaltTokenMergeParams const* params, SpikehaltTokenMergeTensors const* tensors, void* stream)
{
    using namespace spikehalt;
    if (params == nullptr || tensors == nullptr)
    {
        return kSPIKEHALT_NULL_POINTER;
    }
    int32_t const code = checkSizes(*params);
    if (code != kSPIKEHALT_OK || params->images == 0)
    {
        return code;
    }
    if (anyNull({tensors->x, tensors->size, tensors->live, tensors->source, tensors->xNext,
            tensors->sizeNext, tensors->liveNext, tensors->keep, tensors->sourceOut, tensors->workspace}))
    {
        return kSPIKEHALT_NULL_POINTER;
    }
    if (tensors->workspaceBytes < spikehaltTokenMergeWorkspace(params))
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
