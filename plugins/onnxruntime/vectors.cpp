#include "vectors.h"

#include "../common/math.h"

namespace spikehalt::ort
{

SPIKEHALT_CLONES void scaleRow(float* __restrict out, float const* __restrict x, float weight, int64_t count)
{
    for (int64_t i = 0; i < count; ++i)
    {
        out[i] = mulRounded(weight, x[i]);
    }
}

SPIKEHALT_CLONES void addScaledRow(float* __restrict out, float const* __restrict x, float weight, int64_t count)
{
    for (int64_t i = 0; i < count; ++i)
    {
        out[i] = addRounded(out[i], mulRounded(weight, x[i]));
    }
}

SPIKEHALT_CLONES void addRow(float* __restrict out, float const* __restrict x, int64_t count)
{
    for (int64_t i = 0; i < count; ++i)
    {
        out[i] = addRounded(out[i], x[i]);
    }
}

} // namespace spikehalt::ort
