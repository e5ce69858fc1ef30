//! The attributes that TokenHalt, TokenHaltSum and PackedTokenHalt have in common.
#ifndef SPIKEHALT_HALT_ATTRIBUTES_H
#define SPIKEHALT_HALT_ATTRIBUTES_H

#include "../onnxruntime/attributes.h"
#include "token_halt_kernel.h"

namespace spikehalt
{

inline SpikehaltTokenHaltParams readHaltParams(ort::Attributes const& attributes)
{
    SpikehaltTokenHaltParams params{};
    params.alpha = attributes.readFloat("alpha");
    params.beta = attributes.readFloat("beta");
    params.last = static_cast<int32_t>(attributes.readInt("last", 0, 1));
    return params;
}

} // namespace spikehalt

#endif
