//! Spikes are 0 or 1 and few, so products are sums over those that are there:
//! kv[a] = sum of v_s over the rows s with spike a in k_s; mixed_m = sum of kv[a] over the spikes a
//! in q_m. Sums of small integers are exact in float32 in any order.
#include "attention_loops.h"

#include "../onnxruntime/vectors.h"

#include <algorithm>
#include <string.h>

namespace spikehalt
{
namespace
{

//! Spikes that are looked at together: the bytes of a word, each 0 or 1.
constexpr int64_t kWORD = 8;
constexpr int64_t kBITS = 8;

int64_t roundedUp(int64_t depth)
{
    return (depth + kWORD - 1) / kWORD * kWORD;
}

//! Call `visit` with the position of every spike of a row.
template <typename Visit>
SPIKEHALT_INLINE void forEachSpike(uint8_t const* row, int64_t padded, Visit const& visit)
{
    for (int64_t start = 0; start < padded; start += kWORD)
    {
        uint64_t word = 0;
        memcpy(&word, row + start, sizeof(word));
        for (; word != 0; word &= word - 1)
        {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
            visit(start + __builtin_ctzll(word) / kBITS);
#else
            visit(start + (kWORD - 1) - __builtin_ctzll(word) / kBITS);
#endif
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

//! DEPTH 0: any depth.
template <typename T, int64_t DEPTH>
SPIKEHALT_INLINE void attendDeep(
    Attention<T> const& attention, int64_t first, int64_t end, int64_t head, float* __restrict scratch)
{
    int64_t const depth = DEPTH == 0 ? attention.depth : DEPTH;
    int64_t const padded = roundedUp(depth);
    float* __restrict const kv = scratch;
    float* __restrict const value = kv + depth * depth;
    uint8_t* __restrict const bytes = reinterpret_cast<uint8_t*>(value + depth);
    memset(scratch, 0, static_cast<size_t>(scratchFloats(depth)) * sizeof(float));
    int64_t const stride = 3 * attention.width;
    T const* const start = attention.spikes + head * depth;
    for (int64_t m = first; m < end; ++m)
    {
        toBytes(bytes, start + m * stride + attention.width, depth);
        T const* const v = start + m * stride + 2 * attention.width;
        for (int64_t i = 0; i < depth; ++i)
        {
            value[i] = static_cast<float>(v[i]);
        }
        forEachSpike(bytes, padded, [&](int64_t a) {
            float* const target = kv + a * depth;
            for (int64_t i = 0; i < depth; ++i)
            {
                target[i] += value[i];
            }
        });
    }
    for (int64_t m = first; m < end; ++m)
    {
        toBytes(bytes, start + m * stride, depth);
        for (int64_t i = 0; i < depth; ++i)
        {
            value[i] = 0.0F;
        }
        forEachSpike(bytes, padded, [&](int64_t a) {
            float const* const source = kv + a * depth;
            for (int64_t i = 0; i < depth; ++i)
            {
                value[i] += source[i];
            }
        });
        memcpy(attention.mixed + m * attention.width + head * depth, value, static_cast<size_t>(depth) * sizeof(float));
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
