#include "finish_loops.h"

#include "../common/math.h"
#include "../onnxruntime/vectors.h"

namespace spikehalt
{

SPIKEHALT_CLONES void scaleAndShift(int32_t const* __restrict sums, float const* __restrict scale,
    float const* __restrict bias, float* __restrict current, int64_t count)
{
    for (int64_t i = 0; i < count; ++i)
    {
        current[i] = addRounded(mulRounded(static_cast<float>(sums[i]), scale[i]), bias[i]);
    }
}

SPIKEHALT_CLONES void shift(
    float const* __restrict sums, float const* __restrict bias, float* __restrict current, int64_t count)
{
    for (int64_t i = 0; i < count; ++i)
    {
        current[i] = addRounded(sums[i], bias[i]);
    }
}

} // namespace spikehalt
