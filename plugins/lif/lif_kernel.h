//! LIF on the device: a plain C function, no TensorRT and no CUDA header needed to call it.
#ifndef SPIKEHALT_LIF_KERNEL_H
#define SPIKEHALT_LIF_KERNEL_H

#include "../cuda/kernel_api.h"

#ifdef __cplusplus
extern "C"
{
#endif

//! Sizes, types and attributes of one LIF call; see `op.yaml`.
typedef struct SpikehaltLifParams
{
    int64_t elements;   //!< elements of one timestep
    int32_t steps;      //!< timesteps in the leading axis of x and spike, at least 1
    int32_t type;       //!< SpikehaltType of x, v and vNext: float32 or float16
    int32_t spikeType;  //!< SpikehaltType of spike: float32, float16 or int8
    int32_t oneState;   //!< 1: v holds a single value that every element starts with
    int32_t softReset;  //!< 1: subtract the threshold; 0: set to vReset
    float decay;
    float threshold;
    float vReset;
} SpikehaltLifParams;

//! x [steps, elements], v [elements] or [1] -> spike [steps, elements], vNext [elements].
//! vNext may be v, unless oneState. Asynchronous on `stream`. Returns 0 or an error code.
SPIKEHALT_API int32_t spikehaltLif(SpikehaltLifParams const* params, void const* x, void const* v,
    void* spike, void* vNext, void* stream);

#ifdef __cplusplus
}
#endif

#endif
