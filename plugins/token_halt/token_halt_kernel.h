//! TokenHalt and TokenHaltSum on the device: plain C functions without TensorRT and CUDA headers.
#ifndef SPIKEHALT_TOKEN_HALT_KERNEL_H
#define SPIKEHALT_TOKEN_HALT_KERNEL_H

#include "../cuda/kernel_api.h"

#ifdef __cplusplus
extern "C"
{
#endif

//! Sizes, types and attributes of one call; see `op.yaml`.
typedef struct SpikehaltTokenHaltParams
{
    int64_t images;  //!< B; for packed rows 1
    int64_t tokens;  //!< K; for packed rows M
    int64_t width;   //!< D, at least 1
    int32_t type;    //!< SpikehaltType of x: float32 or float16
    int32_t last;    //!< 1: the last block, where every token halts
    float alpha;
    float beta;
} SpikehaltTokenHaltParams;

//! Tensors of one call; all but x and live are float32.
typedef struct SpikehaltTokenHaltTensors
{
    void const* x;        //!< [images, tokens, width]
    float const* size;    //!< [images, tokens]
    float const* hist;    //!< [images, tokens]
    float const* cum;     //!< [images, tokens]
    int32_t const* live;  //!< [images, tokens]
    float const* epsilon; //!< one value, on the device
    float* readout;       //!< [images, tokens, width], or [images, width] for the sum
    float* histNext;      //!< [images, tokens]
    float* cumNext;       //!< [images, tokens]
    int32_t* liveNext;    //!< [images, tokens]
} SpikehaltTokenHaltTensors;

//! One readout row per token. Asynchronous on `stream`. Returns 0 or an error code.
SPIKEHALT_API int32_t spikehaltTokenHalt(
    SpikehaltTokenHaltParams const* params, SpikehaltTokenHaltTensors const* tensors, void* stream);

//! The readout summed over the tokens of each image, always in the same order.
SPIKEHALT_API int32_t spikehaltTokenHaltSum(
    SpikehaltTokenHaltParams const* params, SpikehaltTokenHaltTensors const* tensors, void* stream);

#ifdef __cplusplus
}
#endif

#endif
