#include "product_loops.h"

#include "../onnxruntime/vectors.h"

#include <string.h>

namespace spikehalt
{
namespace
{

//! Sums that run side by side: a vector on any CPU, or several of its vectors.
typedef float Lanes __attribute__((vector_size(64)));
constexpr int64_t kLANES = 16;

//! `lanes` += a * b of up to kLANES columns.
SPIKEHALT_INLINE void addProducts(Lanes& lanes, float const* a, float const* b, int64_t columns)
{
    Lanes left = {};
    Lanes right = {};
    memcpy(&left, a, static_cast<size_t>(columns) * sizeof(float));
    memcpy(&right, b, static_cast<size_t>(columns) * sizeof(float));
    lanes += left * right;
}

SPIKEHALT_INLINE float sumOf(Lanes const& lanes)
{
    float sum = 0.0F;
    for (int64_t lane = 0; lane < kLANES; ++lane)
    {
        sum += lanes[lane];
    }
    return sum;
}

template <int64_t COUNT>
SPIKEHALT_INLINE void multiply(float const* a, float const* const* rows, int64_t width, float* dots)
{
    Lanes sums[COUNT] = {};
    int64_t column = 0;
    for (; column + kLANES <= width; column += kLANES)
    {
        for (int64_t i = 0; i < COUNT; ++i)
        {
            addProducts(sums[i], a + column, rows[i] + column, kLANES);
        }
    }
    for (int64_t i = 0; i < COUNT; ++i)
    {
        if (column < width)
        {
            addProducts(sums[i], a + column, rows[i] + column, width - column);
        }
        dots[i] = sumOf(sums[i]);
    }
}

} // namespace

SPIKEHALT_CLONES void multiplyRows(float const* a, float const* const* rows, int64_t width, float* __restrict dots)
{
    multiply<kPRODUCTS>(a, rows, width, dots);
}

SPIKEHALT_CLONES float squareOfRow(float const* a, int64_t width)
{
    float square = 0.0F;
    multiply<1>(a, &a, width, &square);
    return square;
}

} // namespace spikehalt
