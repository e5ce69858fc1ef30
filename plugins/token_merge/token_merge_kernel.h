//! TokenMerge on the device: plain C functions, no TensorRT and no CUDA header needed to call them.
#ifndef SPIKEHALT_TOKEN_MERGE_KERNEL_H
#define SPIKEHALT_TOKEN_MERGE_KERNEL_H

#include "../cuda/kernel_api.h"

#ifdef __cplusplus
extern "C"
{
#endif

//! The most tokens an image may have; the selection keeps its tables in shared memory.
enum
{
    kSPIKEHALT_MAX_MERGE_TOKENS = 4096
};

//! Sizes, types and attributes of one TokenMerge call; see `op.yaml`.
typedef struct SpikehaltTokenMergeParams
{
    int64_t images;       //!< B
    int64_t width;        //!< D, at least 1
    int32_t tokens;       //!< K, 2 to kSPIKEHALT_MAX_MERGE_TOKENS
    int32_t gamma;        //!< G, 1 to K / 2
    int32_t type;         //!< SpikehaltType of x and xNext: float32 or float16
    int32_t oneSource;    //!< 1: `source` has one element in all; -1 in it says "choose now"
} SpikehaltTokenMergeParams;

//! Tensors of one call.
typedef struct SpikehaltTokenMergeTensors
{
    void const* x;          //!< [B, K, D]
    float const* size;      //!< [B, K]
    int32_t const* live;    //!< [B, K]
    int32_t const* source;  //!< [B, G] even positions, or one element
    void* xNext;            //!< [B, K - G, D]
    float* sizeNext;        //!< [B, K - G]
    int32_t* liveNext;      //!< [B, K - G]
    int32_t* keep;          //!< [B, K - G]
    int32_t* sourceOut;     //!< [B, G]
    void* workspace;        //!< spikehaltTokenMergeWorkspace bytes, aligned to 4
    size_t workspaceBytes;
} SpikehaltTokenMergeTensors;

//! Bytes of workspace a call with these sizes needs; 0 for sizes that are refused anyway.
SPIKEHALT_API size_t spikehaltTokenMergeWorkspace(SpikehaltTokenMergeParams const* params);

//! Similarity, best target, choice of sources and merge. Asynchronous on `stream`, without any
//! synchronisation of the host. Positions in `source` that are not valid do not harm memory, but
//! what comes out then is of no use. Returns 0 or an error code.
SPIKEHALT_API int32_t spikehaltTokenMerge(
    SpikehaltTokenMergeParams const* params, SpikehaltTokenMergeTensors const* tensors, void* stream);

#ifdef __cplusplus
}
#endif

#endif
