//! Sums of float weight rows, written once over the vectors of an instruction set.
//!
//! V has kFLOATS to a vector, kFLOAT_TILE vectors of listed sums and kDENSE_TILE of dense ones at a
//! time; nonZero(x) has one bit for each float of a vector; NaN counts as one.
#include "sums_loops.h"

#include <string.h>

namespace spikehalt
{
namespace
{

template <typename V>
SPIKEHALT_INLINE uint32_t lastNonZero(float const* x, int64_t count)
{
    float last[V::kFLOATS] = {};
    memcpy(last, x, static_cast<size_t>(count) * sizeof(float));
    return V::nonZero(last);
}

template <typename V>
int64_t countFloats(float const* x, int64_t count)
{
    int64_t nonZero = 0;
    int64_t at = 0;
    for (; at + V::kFLOATS <= count; at += V::kFLOATS)
    {
        nonZero += __builtin_popcount(V::nonZero(x + at));
    }
    return at < count ? nonZero + __builtin_popcount(lastNonZero<V>(x + at, count - at)) : nonZero;
}

//! Appends the inputs of a vector that the mask names to so many places; returns how many there are then.
SPIKEHALT_INLINE int32_t appendFloats(float const* x, int64_t first, uint32_t mask, int32_t places, FloatList& list)
{
    for (; mask != 0; mask &= mask - 1)
    {
        int64_t const at = first + __builtin_ctz(mask);
        list.inputs[places] = static_cast<uint32_t>(at);
        list.values[places] = x[at];
        ++places;
    }
    list.ends[first / kLISTED_INPUTS] = places;
    return places;
}

template <typename V>
void listFloats(float const* x, int64_t count, FloatList& list)
{
    static_assert(kLISTED_INPUTS % V::kFLOATS == 0, "a vector lies in one group");
    int32_t places = 0;
    int64_t first = 0;
    for (; first + V::kFLOATS <= count; first += V::kFLOATS)
    {
        places = appendFloats(x, first, V::nonZero(x + first), places, list);
    }
    if (first < count)
    {
        places = appendFloats(x, first, lastNonZero<V>(x + first, count - first), places, list);
    }
    list.count = places;
}

//! T vectors of columns stay in registers.
template <typename V, int T>
void addListedFloatTile(FloatList const& list, Range const& places, float const* packed, float* sums)
{
    typename V::Vector totals[T];
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t)
    {
        totals[t] = V::load(sums + t * V::kFLOATS);
    }
    for (int64_t place = places.first; place < places.end; ++place)
    {
        float const* const row = packed + static_cast<int64_t>(list.inputs[place]) * (T * V::kFLOATS);
        typename V::Vector const x = V::all(list.values[place]);
#pragma GCC unroll 16
        for (int t = 0; t < T; ++t)
        {
            totals[t] = V::addProduct(totals[t], x, V::load(row + t * V::kFLOATS));
        }
    }
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t)
    {
        V::store(sums + t * V::kFLOATS, totals[t]);
    }
}

template <typename V, int T = V::kFLOAT_TILE>
void addListedFloats(FloatList const& list, Range const& places, float const* packed, int64_t columns, float* sums)
{
    if constexpr (T > 1)
    {
        if (columns < T * V::kFLOATS)
        {
            addListedFloats<V, T - 1>(list, places, packed, columns, sums);
            return;
        }
    }
    addListedFloatTile<V, T>(list, places, packed, sums);
}

template <typename V, int R, int C>
void multiplyFloatTile(float const* rows, int64_t apart, Range const& inputs, float const* packed,
    float* sums, int64_t stride)
{
    typename V::Vector totals[R][C];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
    {
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c)
        {
            totals[r][c] = inputs.first == 0 ? V::all(0.0F) : V::load(sums + r * stride + c * V::kFLOATS);
        }
    }
    for (int64_t k = inputs.first; k < inputs.end; ++k)
    {
        typename V::Vector columns[C];
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c)
        {
            columns[c] = V::load(packed + (k * C + c) * V::kFLOATS);
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
        {
            typename V::Vector const x = V::all(rows[r * apart + k]);
#pragma GCC unroll 8
            for (int c = 0; c < C; ++c)
            {
                totals[r][c] = V::addProduct(totals[r][c], x, columns[c]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
    {
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c)
        {
            V::store(sums + r * stride + c * V::kFLOATS, totals[r][c]);
        }
    }
}

template <typename V, int C, int R = kDENSE_ROWS>
void multiplyFloatRows(float const* rows, int64_t count, int64_t apart, Range const& inputs, float const* packed,
    float* sums, int64_t stride)
{
    if constexpr (R > 1)
    {
        if (count < R)
        {
            multiplyFloatRows<V, C, R - 1>(rows, count, apart, inputs, packed, sums, stride);
            return;
        }
    }
    multiplyFloatTile<V, R, C>(rows, apart, inputs, packed, sums, stride);
}

template <typename V, int C = V::kDENSE_TILE>
void multiplyFloats(float const* rows, int64_t count, int64_t apart, Range const& inputs, float const* packed,
    int64_t columns, float* sums, int64_t stride)
{
    if constexpr (C > 1)
    {
        if (columns < C * V::kFLOATS)
        {
            multiplyFloats<V, C - 1>(rows, count, apart, inputs, packed, columns, sums, stride);
            return;
        }
    }
    multiplyFloatRows<V, C>(rows, count, apart, inputs, packed, sums, stride);
}

template <typename V>
constexpr FloatLoops floatLoopsOf()
{
    return {V::kFLOATS, V::kFLOATS * V::kFLOAT_TILE, V::kFLOATS * V::kDENSE_TILE, countFloats<V>,
        listFloats<V>, addListedFloats<V>, multiplyFloats<V>};
}

} // namespace
} // namespace spikehalt
