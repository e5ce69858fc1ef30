//! LIF over many neurons at once, for CPUs; shared by LIF and PackedLIF.
#ifndef SPIKEHALT_LIF_LOOPS_H
#define SPIKEHALT_LIF_LOOPS_H

#include "../onnxruntime/attributes.h"
#include "lif_kernel.h"

namespace spikehalt
{

//! The attributes that LIF and PackedLIF have in common, checked.
SpikehaltLifParams readLifParams(ort::Attributes const& attributes);
ort::Type readSpikeType(ort::Attributes const& attributes);
//! Bytes of a spike.
int64_t spikeBytes(ort::Type type);

//! One step of `count` neurons from v to next; one value of v for all if params.oneState.
void lifStepRow(ort::Type spikeType, SpikehaltLifParams const& params, float const* x, float const* v, void* spike,
    float* next, int64_t count);
//! One more step of `count` neurons, whose potential advances where it is.
void lifAdvanceRow(ort::Type spikeType, SpikehaltLifParams const& params, float const* x, void* spike, float* state,
    int64_t count);

} // namespace spikehalt

#endif
