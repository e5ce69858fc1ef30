//! What ops that merge share on the device: every even token's most similar live odd one.
//!
//! All sums have a fixed order, so results are the same from run to run.
#ifndef SPIKEHALT_TOKEN_MERGE_MATCH_CUH
#define SPIKEHALT_TOKEN_MERGE_MATCH_CUH

#include "../cuda/launch.cuh"
#include "../cuda/packs.cuh"
#include "token_merge_math.h"

namespace spikehalt
{

constexpr int32_t kTHREADS = 256;
constexpr int32_t kWARP = 32;
constexpr int32_t kWARPS = kTHREADS / kWARP;
constexpr uint32_t kALL_LANES = 0xFFFFFFFFU;
//! A warp compares a quad of even tokens with a quad of odd ones at a time.
constexpr int32_t kQUAD = 4;
//! Below this many blocks the device is not filled, and blocks are made smaller instead.
constexpr int64_t kFEW_BLOCKS = 512;
//! Blocks per image in the second launch, at most.
constexpr int32_t kMAX_MERGE_BLOCKS = 32;

//! The tokens of all images.
struct TokenRows
{
    int64_t images;      //!< B
    int64_t width;       //!< D
    int32_t tokens;      //!< K
    void const* x;       //!< [B, K, D]
    int32_t const* live; //!< [B, K]
};

//! Even tokens of an image; position / 2 is an even token's slot.
__host__ __device__ __forceinline__ int32_t evenCount(int32_t tokens)
{
    return (tokens + 1) / 2;
}

//! What the first launch leaves for the second, per image and slot.
struct Matches
{
    float* similarity; //!< [B, evenCount]
    int32_t* target;   //!< [B, evenCount], a position or kNO_TARGET
};

//! The matches of `slots` even tokens in `workspace`, which has matchBytes of them.
__host__ __device__ __forceinline__ Matches matchesIn(void* workspace, int64_t slots)
{
    auto* const similarity = static_cast<float*>(workspace);
    return {similarity, reinterpret_cast<int32_t*>(similarity + slots)};
}

inline size_t matchBytes(int64_t images, int32_t tokens)
{
    return static_cast<size_t>(images) * static_cast<size_t>(evenCount(tokens)) * (sizeof(float) + sizeof(int32_t));
}

//! Sum each of `N` values over the warp's lanes with N - 1 + log2(32 / N) shuffles.
//! Lane l is left with the sum of values[l / (32 / N)], in values[0].
template <int32_t N>
__device__ __forceinline__ void reduceAcrossLanes(float (&values)[N], int32_t lane)
{
    int32_t offset = kWARP / 2;
#pragma unroll
    for (int32_t half = N / 2; half > 0; half /= 2, offset /= 2)
    {
        bool const upper = (lane & offset) != 0;
#pragma unroll
        for (int32_t i = 0; i < half; ++i)
        {
            float const given = upper ? values[i] : values[i + half];
            float const kept = upper ? values[i + half] : values[i];
            values[i] = kept + __shfl_xor_sync(kALL_LANES, given, offset);
        }
    }
#pragma unroll
    for (; offset > 0; offset /= 2)
    {
        values[0] += __shfl_xor_sync(kALL_LANES, values[0], offset);
    }
}

//! Products of a quad of rows with another; the rows are read by the whole warp.
template <typename T, int32_t N>
__device__ __forceinline__ void multiplyQuads(float (&dots)[kQUAD * kQUAD], float (&squares)[kQUAD],
    T const* const (&rowsA)[kQUAD], T const* const (&rowsB)[kQUAD], int64_t width, int32_t lane)
{
    for (int64_t column = static_cast<int64_t>(lane) * N; column < width; column += kWARP * N)
    {
        float b[kQUAD][N];
#pragma unroll
        for (int32_t j = 0; j < kQUAD; ++j)
        {
            load<T, N>(b[j], rowsB[j] + column);
#pragma unroll
            for (int32_t n = 0; n < N; ++n)
            {
                squares[j] += b[j][n] * b[j][n];
            }
        }
#pragma unroll
        for (int32_t i = 0; i < kQUAD; ++i)
        {
            float a[N];
            load<T, N>(a, rowsA[i] + column);
#pragma unroll
            for (int32_t j = 0; j < kQUAD; ++j)
            {
#pragma unroll
                for (int32_t n = 0; n < N; ++n)
                {
                    dots[i * kQUAD + j] += a[n] * b[j][n];
                }
            }
        }
    }
}

//! |row|^2 of each row of a quad; lane l is left with that of row l / 8.
template <typename T, int32_t N>
__device__ __forceinline__ float squareOfRows(T const* const (&rows)[kQUAD], int64_t width, int32_t lane)
{
    float squares[kQUAD] = {};
    for (int64_t column = static_cast<int64_t>(lane) * N; column < width; column += kWARP * N)
    {
#pragma unroll
        for (int32_t i = 0; i < kQUAD; ++i)
        {
            float values[N];
            load<T, N>(values, rows[i] + column);
#pragma unroll
            for (int32_t n = 0; n < N; ++n)
            {
                squares[i] += values[n] * values[n];
            }
        }
    }
    reduceAcrossLanes<kQUAD>(squares, lane);
    return squares[0];
}

//! The best target seen so far.
struct Best
{
    float similarity;
    int32_t target;
};

__device__ __forceinline__ void improve(Best& best, float similarity, int32_t target)
{
    if (beats(similarity, target, best.similarity, best.target))
    {
        best = {similarity, target};
    }
}

//! Best live odd token for the even token of this lane (row lane / 8 of the quad), over the quads
//! `first`, `first + stride`, ... of odd tokens. `image` and `live` belong to one image.
template <typename T, int32_t N>
__device__ __forceinline__ Best searchTargets(TokenRows const& rows, T const* image,
    int32_t const* live, T const* const (&rowsA)[kQUAD], int32_t first, int32_t stride, int32_t lane)
{
    constexpr int32_t kLANES_PER_ROW = kWARP / kQUAD;
    int32_t const oddCount = rows.tokens / 2;
    int32_t const j = lane / 2 % kQUAD; // the pair a lane holds after the reduction
    float const squareA = squareOfRows<T, N>(rowsA, rows.width, lane);
    Best best{0.0F, kNO_TARGET};
    for (int32_t quad = first; quad * kQUAD < oddCount; quad += stride)
    {
        T const* rowsB[kQUAD];
        bool anyLive = false;
#pragma unroll
        for (int32_t row = 0; row < kQUAD; ++row)
        {
            int32_t const odd = quad * kQUAD + row < oddCount ? quad * kQUAD + row : oddCount - 1;
            rowsB[row] = image + (2 * odd + 1) * rows.width;
            anyLive |= live[2 * odd + 1] != 0;
        }
        if (!anyLive)
        {
            continue;
        }
        float dots[kQUAD * kQUAD] = {};
        float squares[kQUAD] = {};
        multiplyQuads<T, N>(dots, squares, rowsA, rowsB, rows.width, lane);
        reduceAcrossLanes<kQUAD * kQUAD>(dots, lane);
        reduceAcrossLanes<kQUAD>(squares, lane);
        float const squareB = __shfl_sync(kALL_LANES, squares[0], j * kLANES_PER_ROW);
        int32_t const odd = quad * kQUAD + j;
        if (odd < oddCount && live[2 * odd + 1] != 0)
        {
            improve(best, mergeSimilarity(dots[0], squareA, squareB), 2 * odd + 1);
        }
    }
    for (int32_t offset = kLANES_PER_ROW / 2; offset > 1; offset /= 2)
    {
        float const similarity = __shfl_xor_sync(kALL_LANES, best.similarity, offset);
        int32_t const target = __shfl_xor_sync(kALL_LANES, best.target, offset);
        improve(best, similarity, target);
    }
    return best;
}

//! First launch: a block takes `quads` quads of even tokens of one image; its warps share the odd
//! tokens among them. `wanted` says how many even positions of an image are matched, and which.
template <typename T, int32_t N, typename Wanted>
__global__ void __launch_bounds__(kTHREADS)
    matchKernel(TokenRows rows, Matches matches, Wanted wanted, int32_t quads, int32_t blocksPerImage)
{
    __shared__ float similarities[kWARPS][kQUAD];
    __shared__ int32_t targets[kWARPS][kQUAD];
    int64_t const image = blockIdx.x / blocksPerImage;
    int32_t const lane = static_cast<int32_t>(threadIdx.x) % kWARP;
    int32_t const warp = static_cast<int32_t>(threadIdx.x) / kWARP;
    int32_t const quad = static_cast<int32_t>(blockIdx.x % blocksPerImage) * quads + warp % quads;
    int32_t const count = wanted.count();
    T const* const tokens = static_cast<T const*>(rows.x) + image * rows.tokens * rows.width;

    T const* rowsA[kQUAD];
    int32_t positions[kQUAD];
#pragma unroll
    for (int32_t i = 0; i < kQUAD; ++i)
    {
        int32_t const index = quad * kQUAD + i < count ? quad * kQUAD + i : count - 1;
        positions[i] = wanted.position(image, index);
        rowsA[i] = tokens + positions[i] * rows.width;
    }
    if (quad * kQUAD < count)
    {
        Best const best = searchTargets<T, N>(rows, tokens, rows.live + image * rows.tokens,
            rowsA, warp / quads, kWARPS / quads, lane);
        if (lane % (kWARP / kQUAD) == 0)
        {
            similarities[warp][lane / (kWARP / kQUAD)] = best.similarity;
            targets[warp][lane / (kWARP / kQUAD)] = best.target;
        }
    }
    __syncthreads();
    if (warp >= quads || lane >= kQUAD || quad * kQUAD + lane >= count)
    {
        return;
    }
    Best best{similarities[warp][lane], targets[warp][lane]};
    for (int32_t other = warp + quads; other < kWARPS; other += quads)
    {
        improve(best, similarities[other][lane], targets[other][lane]);
    }
    int64_t const slot = image * evenCount(rows.tokens) + positions[lane] / 2;
    matches.similarity[slot] = best.similarity;
    matches.target[slot] = best.target;
}

//! Launch it.
template <typename T, int32_t N, typename Wanted>
int32_t launchMatch(TokenRows const& rows, Matches const& matches, Wanted const& wanted, void* stream)
{
    int32_t const quadsPerImage = static_cast<int32_t>(ceilDivide(evenCount(rows.tokens), kQUAD));
    // Larger blocks read each odd token from the cache more often; small ones fill the device.
    int32_t const quads = rows.images * quadsPerImage < kFEW_BLOCKS ? 1 : kQUAD;
    int32_t const blocks = static_cast<int32_t>(ceilDivide(quadsPerImage, quads));
    return launch(&matchKernel<T, N, Wanted>, rows.images * blocks, kTHREADS, 0, stream, rows, matches, wanted,
        quads, blocks);
}

//! Blocks per image of the second launch, of which every warp writes a row at a time.
inline int32_t blocksForRows(int32_t rows)
{
    auto const blocks = static_cast<int32_t>(ceilDivide(rows, kWARPS));
    return blocks < kMAX_MERGE_BLOCKS ? blocks : kMAX_MERGE_BLOCKS;
}

} // namespace spikehalt

#endif
