//! TokenMergeSimilar on the device: plain C functions, no TensorRT and no CUDA header needed to call them.
#ifndef SPIKEHALT_TOKEN_MERGE_SIMILAR_KERNEL_H
#define SPIKEHALT_TOKEN_MERGE_SIMILAR_KERNEL_H

#include "../cuda/kernel_api.h"

#ifdef __cplusplus
extern "C"
{
#endif

//! The most tokens an image may have; where they merge is kept in shared memory.
enum
{
    kSPIKEHALT_MAX_SIMILAR_TOKENS = 4096
};

//! Sizes, types and attributes of one TokenMergeSimilar call; see `op.yaml`.
typedef struct SpikehaltTokenMergeSimilarParams
{
    int64_t images;       //!< B
    int64_t width;        //!< D, at least 1
    int32_t tokens;       //!< K, 2 to kSPIKEHALT_MAX_SIMILAR_TOKENS
    int32_t type;         //!< SpikehaltType of x and xNext: float32 or float16
    int32_t oneSource;    //!< 1: `source` has one element in all; -1 in it says "choose now"
    float threshold;      //!< above 0, at most 1
} SpikehaltTokenMergeSimilarParams;

//! Tensors of one call.
typedef struct SpikehaltTokenMergeSimilarTensors
{
    void const* x;          //!< [B, K, D]
    float const* size;      //!< [B, K]
    int32_t const* live;    //!< [B, K]
    int32_t const* source;  //!< [B, K], 1 = merges, or one element
    void* xNext;            //!< [B, K, D]
    float* sizeNext;        //!< [B, K]
    int32_t* liveNext;      //!< [B, K]
    int32_t* sourceOut;     //!< [B, K]
    void* workspace;        //!< spikehaltTokenMergeSimilarWorkspace bytes, aligned to 4
    size_t workspaceBytes;
} SpikehaltTokenMergeSimilarTensors;

//! Bytes of workspace a call with these sizes needs; 0 for sizes that are refused anyway.
SPIKEHALT_API size_t spikehaltTokenMergeSimilarWorkspace(SpikehaltTokenMergeSimilarParams const* params);

//! Similarity, best target and merge. Asynchronous on `stream`, without any synchronisation of the
//! host. What `source` holds at odd positions counts as 0. Returns 0 or an error code.
SPIKEHALT_API int32_t spikehaltTokenMergeSimilar(SpikehaltTokenMergeSimilarParams const* params,
    SpikehaltTokenMergeSimilarTensors const* tensors, void* stream);

#ifdef __cplusplus
}
#endif

#endif
