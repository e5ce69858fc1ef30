#include "count_loops.h"

#include "../common/math.h"
#include "../onnxruntime/vectors.h"

#include <algorithm>

namespace spikehalt
{
namespace
{

//! Values whose counts are kept in registers, or nearly.
constexpr int64_t kBLOCK = 64;

//! sums[i] = weight of the steps that x[i] reaches, of a block that lies in one row.
template <typename T, bool ONE>
SPIKEHALT_INLINE void countBlock(Staircase<T> const& stairs, T const* x, T const* at, int32_t* sums, int64_t count)
{
    for (int64_t i = 0; i < count; ++i)
    {
        sums[i] = 0;
    }
    for (int64_t step = 0; step < stairs.steps; ++step)
    {
        int32_t const weight = stairs.weights[step];
        T const* const row = at + step * (ONE ? 1 : stairs.channels);
        for (int64_t i = 0; i < count; ++i)
        {
            sums[i] += x[i] >= row[ONE ? 0 : i] ? weight : 0;
        }
    }
}

//! `store(first, sums, count)` gets the counts of each block.
template <typename T, bool ONE, typename Store>
SPIKEHALT_INLINE void countRows(Staircase<T> const& stairs, T const* x, int64_t count, Store const& store)
{
    int32_t sums[kBLOCK];
    for (int64_t row = 0; row < count; row += stairs.channels)
    {
        int64_t const channels = std::min(stairs.channels, count - row);
        int64_t first = 0;
        for (; first + kBLOCK <= channels; first += kBLOCK)
        {
            countBlock<T, ONE>(stairs, x + row + first, stairs.at + (ONE ? 0 : first), sums, kBLOCK);
            store(row + first, sums, kBLOCK);
        }
        if (first < channels)
        {
            countBlock<T, ONE>(stairs, x + row + first, stairs.at + (ONE ? 0 : first), sums, channels - first);
            store(row + first, sums, channels - first);
        }
    }
}

template <typename T, typename Store>
SPIKEHALT_INLINE void countAny(Staircase<T> const& stairs, T const* x, int64_t count, Store const& store)
{
    Staircase<T> const own = stairs;
    own.one ? countRows<T, true>(own, x, count, store) : countRows<T, false>(own, x, count, store);
}

//! Stores counts as bytes.
struct Bytes
{
    uint8_t* out;

    SPIKEHALT_INLINE void operator()(int64_t first, int32_t const* sums, int64_t count) const
    {
        for (int64_t i = 0; i < count; ++i)
        {
            out[first + i] = static_cast<uint8_t>(sums[i]);
        }
    }
};

//! Stores counts times a unit.
struct Floats
{
    float* out;
    float unit;

    SPIKEHALT_INLINE void operator()(int64_t first, int32_t const* sums, int64_t count) const
    {
        for (int64_t i = 0; i < count; ++i)
        {
            out[first + i] = mulRounded(static_cast<float>(sums[i]), unit);
        }
    }
};

} // namespace

SPIKEHALT_CLONES void countToBytes(
    Staircase<float> const& stairs, float const* __restrict x, uint8_t* __restrict out, int64_t count)
{
    countAny(stairs, x, count, Bytes{out});
}

SPIKEHALT_CLONES void countToBytes(
    Staircase<int32_t> const& stairs, int32_t const* __restrict x, uint8_t* __restrict out, int64_t count)
{
    countAny(stairs, x, count, Bytes{out});
}

SPIKEHALT_CLONES void countToFloats(
    Staircase<float> const& stairs, float unit, float const* __restrict x, float* __restrict out, int64_t count)
{
    countAny(stairs, x, count, Floats{out, unit});
}

SPIKEHALT_CLONES void countToFloats(
    Staircase<int32_t> const& stairs, float unit, int32_t const* __restrict x, float* __restrict out, int64_t count)
{
    countAny(stairs, x, count, Floats{out, unit});
}

} // namespace spikehalt
