//! LIF per element: `u = decay * v + x`, a spike where `u >= threshold`, then the reset.
#ifndef SPIKEHALT_LIF_MATH_H
#define SPIKEHALT_LIF_MATH_H

#include "../common/math.h"
#include "lif_kernel.h"

namespace spikehalt
{

//! Advance one neuron by one step; `v` becomes the potential after the reset.
//! Returns the spike, 0 or 1.
SPIKEHALT_HD float lifStep(float& v, float x, SpikehaltLifParams const& params)
{
    float const u = addRounded(mulRounded(params.decay, v), x);
    bool const fired = u >= params.threshold;
    float const after = params.softReset ? addRounded(u, -params.threshold) : params.vReset;
    v = fired ? after : u;
    return fired ? 1.0F : 0.0F;
}

} // namespace spikehalt

#endif
