//! TokenHalt per token: score, accumulation over timesteps and blocks, halting, readout weight.
#ifndef SPIKEHALT_TOKEN_HALT_MATH_H
#define SPIKEHALT_TOKEN_HALT_MATH_H

#include "../common/math.h"
#include "token_halt_kernel.h"

namespace spikehalt
{

//! What TokenHalt keeps of one token.
struct HaltState
{
    float hist;    //!< sum of this block's scores up to this timestep
    float cum;     //!< prefix sum over the blocks, inclusive
    float weight;  //!< factor of the token in the readout
    int32_t live;  //!< 1 = goes on to the next block
};

//! 1 / (1 + exp(-z)); the exponent is never positive, so nothing overflows.
SPIKEHALT_HD float sigmoid(float z)
{
    float const decay = expf(-fabsf(z));
    return divRounded(z >= 0.0F ? 1.0F : decay, addRounded(1.0F, decay));
}

//! Halting score of a live token, `first` being its first element.
SPIKEHALT_HD float haltScore(float first, float size, SpikehaltTokenHaltParams const& params)
{
    return sigmoid(addRounded(divRounded(mulRounded(params.alpha, first), size), params.beta));
}

//! Add the score `h` (0 for a dead token) and decide. AT-SNN eq. 4-7 with Graves' remainder.
SPIKEHALT_HD HaltState haltToken(
    float h, float hist, float cum, int32_t live, float epsilon, SpikehaltTokenHaltParams const& params)
{
    HaltState next;
    next.hist = addRounded(hist, h);
    next.cum = addRounded(cum, next.hist);
    bool const halted = params.last || next.cum >= addRounded(1.0F, -epsilon);
    next.weight = live ? (halted ? addRounded(1.0F, -cum) : h) : 0.0F;
    next.live = halted ? 0 : live;
    return next;
}

} // namespace spikehalt

#endif
