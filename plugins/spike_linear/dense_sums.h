//! Dense products of bytes, written once over the vectors of an instruction set.
//!
//! Weights are packed in panels of kPANEL columns: for every four inputs, the four weights of each
//! column. V adds to listed_sums.h:
//!     Vector, load, store, none   vectors of kPANEL int32
//!     quad(x)                     four activations, repeated
//!     addProducts16, addWidened   products of bytes to 16-bit sums, and those to 32 bits
#include "sums_loops.h"

namespace spikehalt
{
namespace
{

//! 16-bit sums of two products each hold this many times 128 times an activation.
constexpr int32_t kIN_16_BITS = 127;

//! Sums move to 32 bits before 16 can overflow.
template <typename V, int R, int C>
void multiplyIn16(uint8_t const* rows, int64_t quads, int32_t largest, int8_t const* packed,
    int64_t panelBytes, int32_t* sums, int64_t stride)
{
    typename V::Vector totals[R][C];
    for (int r = 0; r < R; ++r)
    {
        for (int c = 0; c < C; ++c)
        {
            totals[r][c] = V::none();
        }
    }
    int64_t const most = kIN_16_BITS / (largest > 0 ? largest : 1);
    for (int64_t first = 0; first < quads; first += most)
    {
        int64_t const end = first + most < quads ? first + most : quads;
        typename V::Vector parts[R][C];
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
        {
#pragma GCC unroll 8
            for (int c = 0; c < C; ++c)
            {
                parts[r][c] = V::none();
            }
        }
        for (int64_t q = first; q < end; ++q)
        {
            typename V::Vector weights[C];
#pragma GCC unroll 8
            for (int c = 0; c < C; ++c)
            {
                weights[c] = V::load(packed + c * panelBytes + q * 4 * V::kPANEL);
            }
#pragma GCC unroll 8
            for (int r = 0; r < R; ++r)
            {
                typename V::Vector const x = V::quad(rows + 4 * (r * quads + q));
#pragma GCC unroll 8
                for (int c = 0; c < C; ++c)
                {
                    parts[r][c] = V::addProducts16(parts[r][c], x, weights[c]);
                }
            }
        }
        for (int r = 0; r < R; ++r)
        {
            for (int c = 0; c < C; ++c)
            {
                totals[r][c] = V::addWidened(totals[r][c], parts[r][c]);
            }
        }
    }
    for (int r = 0; r < R; ++r)
    {
        for (int c = 0; c < C; ++c)
        {
            V::store(sums + r * stride + c * V::kPANEL, totals[r][c]);
        }
    }
}

//! Where the instruction set adds products of bytes in 32 bits.
template <typename V, int R, int C>
void multiplyIn32(uint8_t const* rows, int64_t quads, int32_t, int8_t const* packed, int64_t panelBytes,
    int32_t* sums, int64_t stride)
{
    typename V::Vector totals[R][C];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
    {
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c)
        {
            totals[r][c] = V::none();
        }
    }
    for (int64_t q = 0; q < quads; ++q)
    {
        typename V::Vector weights[C];
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c)
        {
            weights[c] = V::load(packed + c * panelBytes + q * 4 * V::kPANEL);
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r)
        {
            typename V::Vector const x = V::quad(rows + 4 * (r * quads + q));
#pragma GCC unroll 8
            for (int c = 0; c < C; ++c)
            {
                totals[r][c] = V::addProducts32(totals[r][c], x, weights[c]);
            }
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r)
    {
#pragma GCC unroll 8
        for (int c = 0; c < C; ++c)
        {
            V::store(sums + r * stride + c * V::kPANEL, totals[r][c]);
        }
    }
}

template <typename V, int R, int C>
SPIKEHALT_INLINE void multiplyTile(uint8_t const* rows, int64_t quads, int32_t largest, int8_t const* packed,
    int64_t panelBytes, int32_t* sums, int64_t stride)
{
    if constexpr (V::kPRODUCTS_IN_32)
    {
        multiplyIn32<V, R, C>(rows, quads, largest, packed, panelBytes, sums, stride);
    }
    else
    {
        multiplyIn16<V, R, C>(rows, quads, largest, packed, panelBytes, sums, stride);
    }
}

template <typename V, int C, int R = kDENSE_ROWS>
void multiplyRowsOf(uint8_t const* rows, int64_t count, int64_t quads, int32_t largest, int8_t const* packed,
    int64_t panelBytes, int32_t* sums, int64_t stride)
{
    if constexpr (R > 1)
    {
        if (count < R)
        {
            multiplyRowsOf<V, C, R - 1>(rows, count, quads, largest, packed, panelBytes, sums, stride);
            return;
        }
    }
    multiplyTile<V, R, C>(rows, quads, largest, packed, panelBytes, sums, stride);
}

template <typename V, int C = V::kPANELS>
void multiplyBytes(uint8_t const* rows, int64_t count, int64_t quads, int32_t largest, int8_t const* packed,
    int64_t panels, int32_t* sums, int64_t stride)
{
    if constexpr (C > 1)
    {
        if (panels < C)
        {
            multiplyBytes<V, C - 1>(rows, count, quads, largest, packed, panels, sums, stride);
            return;
        }
    }
    multiplyRowsOf<V, C>(rows, count, quads, largest, packed, 4 * quads * V::kPANEL, sums, stride);
}

} // namespace
} // namespace spikehalt
