//! Spikes are few, so products are sums over those that are there:
//! kv[a] = sum of k_s[a] v_s over the rows s with spike a in k_s; mixed_m = sum of q_m[a] kv[a] over
//! the spikes a in q_m. Sums of small integers, and of their products, are exact in float32 in any
//! order.
#include "attention_loops.h"

#include "../onnxruntime/vectors.h"

#include <algorithm>
#include <string.h>

namespace spikehalt
{
namespace
{

constexpr int64_t kWORD = 8;
constexpr int64_t kBITS = 64;

int64_t roundedUp(int64_t depth)
{
    return (depth + kWORD - 1) / kWORD * kWORD;
}

//! One bit for each of eight bytes, which are 0 or 1; the first byte's is the lowest.
SPIKEHALT_INLINE uint64_t bitsOf(uint8_t const* bytes)
{
    uint64_t word = 0;
    memcpy(&word, bytes, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return (word * 0x0102040810204080U) >> 56;
}

//! Call `visit` with the position of every spike of a row. The bits of up to 64 are gathered first:
//! how many there are cannot be predicted, and every loop that ends is a wrong guess.
template <typename Visit>
SPIKEHALT_INLINE void forEachSpike(uint8_t const* row, int64_t padded, Visit const& visit)
{
    for (int64_t start = 0; start < padded; start += kBITS)
    {
        int64_t const length = std::min(kBITS, padded - start);
        uint64_t mask = 0;
        for (int64_t at = 0; at < length; at += kWORD)
        {
            mask |= bitsOf(row + start + at) << at;
        }
        for (; mask != 0; mask &= mask - 1)
        {
            visit(start + __builtin_ctzll(mask));
        }
    }
}

template <typename T>
SPIKEHALT_INLINE void toBytes(uint8_t* out, T const* spikes, int64_t depth)
{
    for (int64_t i = 0; i < depth; ++i)
    {
        out[i] = spikes[i] != 0 ? 1 : 0;
    }
}

//! kv[a] = sum of k_s[a] v_s over the rows s with spike a in k_s. DEPTH 0: any depth.
template <typename T, int64_t DEPTH>
SPIKEHALT_INLINE void sumValues(Attention<T> const& attention, int64_t first, int64_t end, T const* start,
    float* __restrict kv, float* __restrict value, uint8_t* __restrict bytes)
{
    int64_t const depth = DEPTH == 0 ? attention.depth : DEPTH;
    int64_t const padded = roundedUp(depth);
    int64_t const stride = 3 * attention.width;
    for (int64_t m = first; m < end; ++m)
    {
        T const* const k = start + m * stride + attention.width;
        toBytes(bytes, k, depth);
        T const* const v = start + m * stride + 2 * attention.width;
        for (int64_t i = 0; i < depth; ++i)
        {
            value[i] = static_cast<float>(v[i]);
        }
        forEachSpike(bytes, padded, [&](int64_t a) {
            float* const target = kv + a * depth;
            float const weight = static_cast<float>(k[a]);
            for (int64_t i = 0; i < depth; ++i)
            {
                target[i] += weight * value[i];
            }
        });
    }
}

//! The sum of q[a] kv[a] over the spikes a of a row. A depth that is known stays in registers.
template <typename T, int64_t DEPTH>
SPIKEHALT_INLINE void sumRows(
    float const* kv, T const* q, uint8_t const* bytes, int64_t depth, float* __restrict out)
{
    int64_t const padded = roundedUp(depth);
    if constexpr (DEPTH == 0)
    {
        memset(out, 0, static_cast<size_t>(depth) * sizeof(float));
        forEachSpike(bytes, padded, [&](int64_t a) {
            float const weight = static_cast<float>(q[a]);
            for (int64_t i = 0; i < depth; ++i)
            {
                out[i] += weight * kv[a * depth + i];
            }
        });
    }
    else
    {
        float sum[DEPTH] = {};
        forEachSpike(bytes, padded, [&](int64_t a) {
            float const weight = static_cast<float>(q[a]);
            for (int64_t i = 0; i < DEPTH; ++i)
            {
                sum[i] += weight * kv[a * DEPTH + i];
            }
        });
        memcpy(out, sum, sizeof(sum));
    }
}

template <typename T, int64_t DEPTH>
SPIKEHALT_INLINE void attendDeep(
    Attention<T> const& attention, int64_t first, int64_t end, int64_t head, float* __restrict scratch)
{
    int64_t const depth = DEPTH == 0 ? attention.depth : DEPTH;
    float* __restrict const kv = scratch;
    float* __restrict const value = kv + depth * depth;
    uint8_t* __restrict const bytes = reinterpret_cast<uint8_t*>(value + depth);
    memset(scratch, 0, static_cast<size_t>(scratchFloats(depth)) * sizeof(float));
    T const* const start = attention.spikes + head * depth;
    sumValues<T, DEPTH>(attention, first, end, start, kv, value, bytes);
    for (int64_t m = first; m < end; ++m)
    {
        T const* const q = start + m * 3 * attention.width;
        toBytes(bytes, q, depth);
        sumRows<T, DEPTH>(kv, q, bytes, depth, attention.mixed + m * attention.width + head * depth);
    }
}

//! The usual depths have loops of their own, which are unrolled.
template <typename T>
SPIKEHALT_INLINE void attendAny(
    Attention<T> const& attention, int64_t first, int64_t end, int64_t head, float* __restrict scratch)
{
    switch (attention.depth)
    {
    case 32: attendDeep<T, 32>(attention, first, end, head, scratch); break;
    case 48: attendDeep<T, 48>(attention, first, end, head, scratch); break;
    case 64: attendDeep<T, 64>(attention, first, end, head, scratch); break;
    default: attendDeep<T, 0>(attention, first, end, head, scratch); break;
    }
}

} // namespace

int64_t scratchFloats(int64_t depth)
{
    // kv, one row of it, and a row of bytes up to a whole word
    return depth * depth + depth + roundedUp(depth) / static_cast<int64_t>(sizeof(float));
}

SPIKEHALT_CLONES void attend(
    Attention<float> const& attention, int64_t first, int64_t end, int64_t head, float* __restrict scratch)
{
    attendAny(attention, first, end, head, scratch);
}

SPIKEHALT_CLONES void attend(
    Attention<uint8_t> const& attention, int64_t first, int64_t end, int64_t head, float* __restrict scratch)
{
    attendAny(attention, first, end, head, scratch);
}

} // namespace spikehalt
