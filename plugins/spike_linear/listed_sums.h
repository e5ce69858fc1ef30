//! The loops of sums_loops.h, written once over the vectors of an instruction set.
//!
//! V has the vectors:
//!     kUNIT                       columns of a vector of weights, int8
//!     kTILE                       the most vectors of columns at a time
//!     kLARGEST                    the largest activation of a place
//!     Largest, larger, largest    the largest of many bytes
//!     nonZero(x)                  one bit for each of 64 bytes
//!     sum(x)                      of 64 bytes
//!     Pair, pair(values)          two activations
//!     Sums, addPair, flush        16-bit sums of kUNIT columns; flush adds them to int32
#include "sums_loops.h"

#include <string.h>

#ifndef SPIKEHALT_INLINE
#define SPIKEHALT_INLINE inline __attribute__((always_inline))
#endif

namespace spikehalt
{
namespace
{

constexpr int64_t kBLOCK = 64;

//! Up to 64 bytes of a row that ends there, with zeros behind.
struct LastBlock
{
    alignas(64) uint8_t bytes[kBLOCK];

    SPIKEHALT_INLINE LastBlock(uint8_t const* x, int64_t count)
    {
        memset(bytes, 0, sizeof(bytes));
        memcpy(bytes, x, static_cast<size_t>(count));
    }
};

template <typename V>
Count countBytes(uint8_t const* x, int64_t count)
{
    int64_t nonZero = 0;
    typename V::Largest largest = V::noLargest();
    int64_t at = 0;
    for (; at + kBLOCK <= count; at += kBLOCK)
    {
        nonZero += __builtin_popcountll(V::nonZero(x + at));
        largest = V::larger(largest, x + at);
    }
    if (at < count)
    {
        LastBlock const last(x + at, count - at);
        nonZero += __builtin_popcountll(V::nonZero(last.bytes));
        largest = V::larger(largest, last.bytes);
    }
    return {nonZero, V::largest(largest)};
}

//! A list that grows.
struct Lister
{
    ByteList& list;
    int32_t places = 0;
    int32_t sum = 0;

    SPIKEHALT_INLINE void append(uint32_t offset, uint8_t value)
    {
        list.offsets[places] = offset;
        list.values[places] = value;
        ++places;
    }

    void endSegment()
    {
        if (places % 2 != 0)
        {
            append(list.offsets[places - 1], 0);
        }
        list.segments[list.count] = {places, sum};
        ++list.count;
        sum = 0;
    }

    //! Append what may not fit the segment, in places of up to `largest`.
    void appendSplit(uint32_t offset, int32_t value, int32_t largest)
    {
        while (value > 0)
        {
            int32_t const part = value < largest ? value : largest;
            if (sum + part > kSEGMENT_SUM)
            {
                endSegment();
            }
            append(offset, static_cast<uint8_t>(part));
            sum += part;
            value -= part;
        }
    }
};

template <typename V>
SPIKEHALT_INLINE void listBlock(Lister& lister, uint8_t const* x, uint32_t first, uint32_t stride)
{
    uint64_t mask = V::nonZero(x);
    if (mask == 0)
    {
        return;
    }
    int32_t const sum = V::sum(x);
    if (lister.sum + sum <= kSEGMENT_SUM && sum <= V::kLARGEST)
    {
        lister.sum += sum;
        for (; mask != 0; mask &= mask - 1)
        {
            auto const at = static_cast<uint32_t>(__builtin_ctzll(mask));
            lister.append(first + at * stride, x[at]);
        }
        return;
    }
    for (; mask != 0; mask &= mask - 1)
    {
        auto const at = static_cast<uint32_t>(__builtin_ctzll(mask));
        lister.appendSplit(first + at * stride, x[at], V::kLARGEST);
    }
}

template <typename V>
void listBytes(uint8_t const* x, int64_t count, int64_t stride, ByteList& list)
{
    list.count = 0;
    Lister lister{list};
    auto const step = static_cast<uint32_t>(stride);
    int64_t at = 0;
    for (; at + kBLOCK <= count; at += kBLOCK)
    {
        listBlock<V>(lister, x + at, static_cast<uint32_t>(at) * step, step);
    }
    if (at < count)
    {
        LastBlock const last(x + at, count - at);
        listBlock<V>(lister, last.bytes, static_cast<uint32_t>(at) * step, step);
    }
    if (lister.sum > 0)
    {
        lister.endSegment();
    }
}

template <typename V, int T>
SPIKEHALT_INLINE void flushAll(typename V::Sums (&parts)[T], int32_t* sums)
{
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t)
    {
        V::flush(parts[t], sums + t * V::kUNIT);
        parts[t] = V::zero();
    }
}

//! T vectors of columns stay in registers.
template <typename V, int T>
void addListedTile(ByteTap const* taps, int64_t count, int64_t first, int32_t* sums)
{
    memset(sums, 0, sizeof(int32_t) * T * V::kUNIT);
    typename V::Sums parts[T];
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t)
    {
        parts[t] = V::zero();
    }
    int32_t sum = 0;
    for (int64_t tap = 0; tap < count; ++tap)
    {
        ByteList const& list = *taps[tap].list;
        int8_t const* const weights = taps[tap].weights + first;
        uint32_t const* const offsets = list.offsets;
        uint8_t const* const values = list.values;
        int32_t place = 0;
        for (int32_t segment = 0; segment < list.count; ++segment)
        {
            if (sum + list.segments[segment].sum > kSEGMENT_SUM)
            {
                flushAll<V, T>(parts, sums);
                sum = 0;
            }
            sum += list.segments[segment].sum;
            for (int32_t const end = list.segments[segment].end; place < end; place += 2)
            {
                int8_t const* const a = weights + offsets[place];
                int8_t const* const b = weights + offsets[place + 1];
                typename V::Pair const pair = V::pair(values + place);
#pragma GCC unroll 16
                for (int t = 0; t < T; ++t)
                {
                    V::addPair(parts[t], a + t * V::kUNIT, b + t * V::kUNIT, pair);
                }
            }
        }
    }
    flushAll<V, T>(parts, sums);
}

template <typename V, int T = V::kTILE>
void addListedBytes(ByteTap const* taps, int64_t count, int64_t first, int64_t columns, int32_t* sums)
{
    if constexpr (T > 1)
    {
        if (columns < T * V::kUNIT)
        {
            addListedBytes<V, T - 1>(taps, count, first, columns, sums);
            return;
        }
    }
    addListedTile<V, T>(taps, count, first, sums);
}

} // namespace
} // namespace spikehalt
