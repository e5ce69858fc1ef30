//! The loops of sums_loops.h, written once over the vectors of an instruction set.
//!
//! V has the vectors:
//!     kUNIT                       columns of a vector of weights, int8
//!     kTILE                       the most vectors of columns at a time
//!     kLARGEST                    the largest activation of a place; larger ones are split
//!     Largest, larger, largest    the largest of many bytes
//!     nonZero(x)                  one bit for each of 64 bytes
//!     kCOMPRESSES                 whether there are, for 64 bytes that begin with the input `first`,
//!     compress(x, first, mask, list)  appends the bytes that the mask has, and
//!     above127(x)                 one bit for each byte that is above
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
//! So many bytes of a block are sooner listed one by one than all at once.
constexpr int kFEW = 4;

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

//! Append an activation, in places of up to V::kLARGEST.
template <typename V>
SPIKEHALT_INLINE void appendPlace(ByteList& list, int64_t input, int32_t value)
{
    for (; value > 0; value -= V::kLARGEST)
    {
        list.inputs[list.count] = static_cast<uint32_t>(input);
        list.values[list.count] = static_cast<uint8_t>(value < V::kLARGEST ? value : V::kLARGEST);
        ++list.count;
    }
}

template <typename V>
SPIKEHALT_INLINE void listBlock(uint8_t const* x, int64_t first, ByteList& list)
{
    uint64_t mask = V::nonZero(x);
    if constexpr (V::kCOMPRESSES)
    {
        bool const many = __builtin_popcountll(mask) > kFEW;
        if (many && (V::kLARGEST == 255 || V::above127(x) == 0))
        {
            V::compress(x, first, mask, list);
            return;
        }
    }
    for (; mask != 0; mask &= mask - 1)
    {
        int64_t const at = __builtin_ctzll(mask);
        appendPlace<V>(list, first + at, x[at]);
    }
}

template <typename V>
void listBytes(uint8_t const* x, int64_t count, int64_t first, ByteList& list)
{
    typename V::Largest largest = V::noLargest();
    int64_t at = 0;
    for (; at + kBLOCK <= count; at += kBLOCK)
    {
        largest = V::larger(largest, x + at);
        listBlock<V>(x + at, first + at, list);
    }
    if (at < count)
    {
        LastBlock const last(x + at, count - at);
        largest = V::larger(largest, last.bytes);
        listBlock<V>(last.bytes, first + at, list);
    }
    int32_t const found = V::largest(largest);
    int32_t const placed = found < V::kLARGEST ? found : V::kLARGEST;
    list.largest = placed > list.largest ? placed : list.largest;
}

//! In steps that compilers make vectors of: some places behind the list are written too.
inline void appendBytes(ByteList const& list, uint32_t input, ByteList& to)
{
    constexpr int64_t kSTEP = 16;
    static_assert(kSTEP <= kBEHIND, "lists have room for a step more");
    uint32_t* __restrict const inputs = to.inputs + to.count;
    uint8_t* __restrict const values = to.values + to.count;
    for (int64_t first = 0; first < list.count; first += kSTEP)
    {
        for (int64_t i = first; i < first + kSTEP; ++i)
        {
            inputs[i] = list.inputs[i] + input;
        }
        memcpy(values + first, list.values + first, kSTEP);
    }
    to.count += list.count;
    to.largest = list.largest > to.largest ? list.largest : to.largest;
}

//! Columns lie as they are.
inline int64_t samePlace(int64_t column, int64_t)
{
    return column;
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

//! Pairs of places whose products add up in 16 bits, times the largest activation.
constexpr int64_t kPAIRS_IN_16_BITS = 127;

//! T vectors of columns stay in registers.
template <typename V, int T>
void addListedTile(ByteList const& list, Range const& places, int8_t const* packed, int32_t* sums)
{
    if (places.first == 0)
    {
        memset(sums, 0, sizeof(int32_t) * T * V::kUNIT);
    }
    typename V::Sums parts[T];
#pragma GCC unroll 16
    for (int t = 0; t < T; ++t)
    {
        parts[t] = V::zero();
    }
    int64_t const most = 2 * (kPAIRS_IN_16_BITS / (list.largest > 0 ? list.largest : 1));
    for (int64_t place = places.first; place < places.end;)
    {
        int64_t const end = place + most < places.end ? place + most : places.end;
        for (; place < end; place += 2)
        {
            int8_t const* const a = packed + static_cast<int64_t>(list.inputs[place]) * (T * V::kUNIT);
            int8_t const* const b = packed + static_cast<int64_t>(list.inputs[place + 1]) * (T * V::kUNIT);
            typename V::Pair const pair = V::pair(list.values + place);
#pragma GCC unroll 16
            for (int t = 0; t < T; ++t)
            {
                V::addPair(parts[t], a + t * V::kUNIT, b + t * V::kUNIT, pair);
            }
        }
        flushAll<V, T>(parts, sums);
    }
}

template <typename V, int T = V::kTILE>
void addListedBytes(ByteList const& list, Range const& places, int8_t const* packed, int64_t columns, int32_t* sums)
{
    if constexpr (T > 1)
    {
        if (columns < T * V::kUNIT)
        {
            addListedBytes<V, T - 1>(list, places, packed, columns, sums);
            return;
        }
    }
    addListedTile<V, T>(list, places, packed, sums);
}

} // namespace
} // namespace spikehalt
