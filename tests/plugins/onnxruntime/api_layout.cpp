// Compiles where plugins/onnxruntime/api.h declares what ONNX Runtime's header does.
#include "../../../plugins/onnxruntime/api.h"

#include <onnxruntime_c_api.h>

#include <stddef.h>

namespace ort = spikehalt::ort;

#define SAME_SLOT(name) \
    static_assert(ort::slot::name::kINDEX * sizeof(void*) == offsetof(OrtApi, name), #name " is another slot")
#define SAME_PLACE(name) \
    static_assert(offsetof(ort::CustomOp, name) == offsetof(OrtCustomOp, name), #name " is elsewhere")
#define SAME_NUMBER(mine, theirs) static_assert(static_cast<int>(mine) == static_cast<int>(theirs), #theirs)

SAME_SLOT(CreateStatus);
SAME_SLOT(GetErrorMessage);
SAME_SLOT(CreateCustomOpDomain);
SAME_SLOT(CustomOpDomain_Add);
SAME_SLOT(AddCustomOpDomain);
SAME_SLOT(GetTensorMutableData);
SAME_SLOT(CreateTensorTypeAndShapeInfo);
SAME_SLOT(SetTensorElementType);
SAME_SLOT(SetDimensions);
SAME_SLOT(GetTensorElementType);
SAME_SLOT(GetDimensionsCount);
SAME_SLOT(GetDimensions);
SAME_SLOT(GetSymbolicDimensions);
SAME_SLOT(GetTensorTypeAndShape);
SAME_SLOT(KernelInfoGetAttribute_float);
SAME_SLOT(KernelInfoGetAttribute_int64);
SAME_SLOT(KernelInfoGetAttribute_string);
SAME_SLOT(KernelContext_GetInput);
SAME_SLOT(KernelContext_GetOutput);
SAME_SLOT(ReleaseStatus);
SAME_SLOT(ReleaseTensorTypeAndShapeInfo);
SAME_SLOT(ReleaseCustomOpDomain);
SAME_SLOT(KernelInfoGetAttributeArray_int64);
SAME_SLOT(KernelInfoGetConstantInput_tensor);
SAME_SLOT(ShapeInferContext_GetInputTypeShape);
SAME_SLOT(ShapeInferContext_GetAttribute);
SAME_SLOT(ShapeInferContext_SetOutputTypeShape);
SAME_SLOT(SetSymbolicDimensions);
SAME_SLOT(ReadOpAttr);
SAME_SLOT(KernelContext_ParallelFor);

SAME_PLACE(version);
SAME_PLACE(CreateKernel);
SAME_PLACE(GetName);
SAME_PLACE(GetExecutionProviderType);
SAME_PLACE(GetInputType);
SAME_PLACE(GetInputTypeCount);
SAME_PLACE(GetOutputType);
SAME_PLACE(GetOutputTypeCount);
SAME_PLACE(KernelCompute);
SAME_PLACE(KernelDestroy);
SAME_PLACE(GetInputCharacteristic);
SAME_PLACE(GetOutputCharacteristic);
SAME_PLACE(GetInputMemoryType);
SAME_PLACE(GetVariadicInputMinArity);
SAME_PLACE(GetVariadicInputHomogeneity);
SAME_PLACE(GetVariadicOutputMinArity);
SAME_PLACE(GetVariadicOutputHomogeneity);
SAME_PLACE(CreateKernelV2);
SAME_PLACE(KernelComputeV2);
SAME_PLACE(InferOutputShapeFn);
SAME_PLACE(GetStartVersion);
SAME_PLACE(GetEndVersion);
SAME_PLACE(GetMayInplace);
SAME_PLACE(ReleaseMayInplace);
SAME_PLACE(GetAliasMap);
SAME_PLACE(ReleaseAliasMap);

static_assert(sizeof(ort::CustomOp) >= offsetof(OrtCustomOp, ReleaseAliasMap) + sizeof(void*), "CustomOp is cut short");
static_assert(offsetof(ort::ApiBase, GetApi) == offsetof(OrtApiBase, GetApi), "GetApi is elsewhere");
static_assert(offsetof(ort::ApiBase, GetVersionString) == offsetof(OrtApiBase, GetVersionString),
    "GetVersionString is elsewhere");

SAME_NUMBER(ort::Type::kUNDEFINED, ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED);
SAME_NUMBER(ort::Type::kFLOAT, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT);
SAME_NUMBER(ort::Type::kUINT8, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8);
SAME_NUMBER(ort::Type::kINT8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8);
SAME_NUMBER(ort::Type::kINT32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32);
SAME_NUMBER(ort::Type::kINT64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64);
SAME_NUMBER(ort::Type::kFLOAT16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16);
SAME_NUMBER(ort::ErrorCode::kFAIL, ORT_FAIL);
SAME_NUMBER(ort::ErrorCode::kINVALID_ARGUMENT, ORT_INVALID_ARGUMENT);
SAME_NUMBER(ort::AttributeType::kINT, ORT_OP_ATTR_INT);
SAME_NUMBER(ort::Presence::kREQUIRED, INPUT_OUTPUT_REQUIRED);
SAME_NUMBER(ort::MemoryType::kDEFAULT, OrtMemTypeDefault);
