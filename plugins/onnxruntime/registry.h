//! The ops of the library, one function for each; and the ONNX Runtime they were registered with.
#ifndef SPIKEHALT_ONNXRUNTIME_REGISTRY_H
#define SPIKEHALT_ONNXRUNTIME_REGISTRY_H

#include "api.h"

namespace spikehalt::ort
{

//! Functions of the ONNX Runtime that registered last; inference is given none.
Api registeredApi();

CustomOp const* lifOp();
CustomOp const* packedLifOp();
CustomOp const* packedLifStepsOp();
CustomOp const* tokenHaltOp();
CustomOp const* tokenHaltSumOp();
CustomOp const* packedTokenHaltOp();
CustomOp const* tokenMergeOp();
CustomOp const* tokenMergeSimilarOp();
CustomOp const* tokenPackOp();
CustomOp const* spikeAttentionOp();
CustomOp const* packedAttentionOp();
CustomOp const* spikeCountOp();
CustomOp const* patchesOp();
CustomOp const* spikeLinearOp();
CustomOp const* spikeLinearIntegerOp();
CustomOp const* spikeConvOp();
CustomOp const* spikeConvIntegerOp();

} // namespace spikehalt::ort

#endif
