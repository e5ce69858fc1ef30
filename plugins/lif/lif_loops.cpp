#include "lif_loops.h"

#include "../onnxruntime/vectors.h"
#include "lif_math.h"

namespace spikehalt
{
namespace
{

using ort::Type;

//! A spike as a number of its type.
template <typename S>
constexpr S kONE = S{1};
//! Of float16, the only type here of two bytes.
template <>
constexpr uint16_t kONE<uint16_t> = 0x3C00;

//! `v` may be `next`.
template <typename S, bool SOFT, bool ONE_STATE>
SPIKEHALT_INLINE void step(
    SpikehaltLifParams params, float const* x, float const* v, S* spike, float* next, int64_t count)
{
    params.softReset = SOFT ? 1 : 0;
    for (int64_t i = 0; i < count; ++i)
    {
        float potential = v[ONE_STATE ? 0 : i];
        float const fired = lifStep(potential, x[i], params);
        next[i] = potential;
        spike[i] = fired != 0.0F ? kONE<S> : S{0};
    }
}

template <typename S>
SPIKEHALT_INLINE void stepAny(
    SpikehaltLifParams const& params, float const* x, float const* v, S* spike, float* next, int64_t count)
{
    if (params.oneState)
    {
        params.softReset ? step<S, true, true>(params, x, v, spike, next, count)
                         : step<S, false, true>(params, x, v, spike, next, count);
    }
    else
    {
        params.softReset ? step<S, true, false>(params, x, v, spike, next, count)
                         : step<S, false, false>(params, x, v, spike, next, count);
    }
}

} // namespace

SpikehaltLifParams readLifParams(ort::Attributes const& attributes)
{
    SpikehaltLifParams params{};
    params.decay = attributes.readFloat("decay");
    params.threshold = attributes.readFloat("threshold");
    params.vReset = attributes.readFloat("v_reset");
    std::string const reset = attributes.readString("reset");
    attributes.require(reset == "hard" || reset == "soft",
        "attribute reset must be 'hard' or 'soft', not '" + reset + "'.");
    params.softReset = reset == "soft" ? 1 : 0;
    params.steps = 1;
    return params;
}

Type readSpikeType(ort::Attributes const& attributes)
{
    return attributes.readType("spike_type", {Type::kFLOAT, Type::kFLOAT16, Type::kINT8, Type::kUINT8});
}

int64_t spikeBytes(Type type)
{
    return type == Type::kFLOAT ? 4 : type == Type::kFLOAT16 ? 2 : 1;
}

SPIKEHALT_CLONES void lifStepRow(Type spikeType, SpikehaltLifParams const& params, float const* __restrict x,
    float const* __restrict v, void* __restrict spike, float* __restrict next, int64_t count)
{
    SpikehaltLifParams const own = params;
    switch (spikeType)
    {
    case Type::kFLOAT: stepAny(own, x, v, static_cast<float*>(spike), next, count); break;
    case Type::kFLOAT16: stepAny(own, x, v, static_cast<uint16_t*>(spike), next, count); break;
    default: // int8 and uint8 have the same bits
        stepAny(own, x, v, static_cast<uint8_t*>(spike), next, count);
        break;
    }
}

SPIKEHALT_CLONES void lifAdvanceRow(Type spikeType, SpikehaltLifParams const& params, float const* __restrict x,
    void* __restrict spike, float* __restrict state, int64_t count)
{
    SpikehaltLifParams own = params;
    own.oneState = 0;
    switch (spikeType)
    {
    case Type::kFLOAT: stepAny(own, x, state, static_cast<float*>(spike), state, count); break;
    case Type::kFLOAT16: stepAny(own, x, state, static_cast<uint16_t*>(spike), state, count); break;
    default: stepAny(own, x, state, static_cast<uint8_t*>(spike), state, count); break;
    }
}

} // namespace spikehalt
