//! The part of ONNX Runtime's C interface that the kernels use, declared here so that a board needs
//! no header of ONNX Runtime to build them.
//!
//! The interface is a table of function pointers to which versions only append, so a slot's index
//! never changes. Where ONNX Runtime's header is at hand, a test compares every index and layout.
#ifndef SPIKEHALT_ONNXRUNTIME_API_H
#define SPIKEHALT_ONNXRUNTIME_API_H

#include <stddef.h>
#include <stdint.h>

namespace spikehalt::ort
{

//! The version asked for. The slots used are there from 17 on, but ONNX Runtime 1.21 still wants the
//! type of an output to be that of an input, which the spikes' is not; 1.22 lets the op decide.
constexpr uint32_t kAPI_VERSION = 22;
//! Any version has this; enough to say that kAPI_VERSION is missing.
constexpr uint32_t kOLDEST_VERSION = 1;

//! Element types, numbered as in onnx.TensorProto.
enum class Type : int32_t
{
    kUNDEFINED = 0, //!< of an op's tensor: several types, the kernel checks which
    kFLOAT = 1,
    kUINT8 = 2,
    kINT8 = 3,
    kINT32 = 6,
    kINT64 = 7,
    kFLOAT16 = 10
};

enum class ErrorCode : int32_t
{
    kFAIL = 1,
    kINVALID_ARGUMENT = 2
};

enum class AttributeType : int32_t
{
    kINT = 1
};

enum class Presence : int32_t
{
    kREQUIRED = 0
};

enum class MemoryType : int32_t
{
    kDEFAULT = 0
};

// Objects of ONNX Runtime, known by their pointers alone.
struct ApiTable;
struct SessionOptions;
struct Status;
struct Domain;
struct Value;
struct TypeShape;
struct KernelInfo;
struct KernelContext;
struct InferContext;
struct Attribute;
struct CustomOp;

//! What ONNX Runtime hands to a library: the way to a table.
struct ApiBase
{
    ApiTable const* (*GetApi)(uint32_t version); //!< null: it does not have this version
    char const* (*GetVersionString)();
};

//! A function of the table: where it is and how it is called.
template <size_t Index, typename Signature>
struct Slot
{
    static constexpr size_t kINDEX = Index;
    using Function = Signature;
};

namespace slot
{

using CreateStatus = Slot<0, Status*(ErrorCode, char const*)>;
using GetErrorMessage = Slot<2, char const*(Status const*)>;
using CreateCustomOpDomain = Slot<26, Status*(char const*, Domain**)>;
using CustomOpDomain_Add = Slot<27, Status*(Domain*, CustomOp const*)>;
using AddCustomOpDomain = Slot<28, Status*(SessionOptions*, Domain*)>;
using GetTensorMutableData = Slot<51, Status*(Value*, void**)>;
using CreateTensorTypeAndShapeInfo = Slot<57, Status*(TypeShape**)>;
using SetTensorElementType = Slot<58, Status*(TypeShape*, Type)>;
using SetDimensions = Slot<59, Status*(TypeShape*, int64_t const*, size_t)>;
using GetTensorElementType = Slot<60, Status*(TypeShape const*, Type*)>;
using GetDimensionsCount = Slot<61, Status*(TypeShape const*, size_t*)>;
using GetDimensions = Slot<62, Status*(TypeShape const*, int64_t*, size_t)>;
using GetSymbolicDimensions = Slot<63, Status*(TypeShape const*, char const**, size_t)>;
using GetTensorTypeAndShape = Slot<65, Status*(Value const*, TypeShape**)>;
using KernelInfoGetAttribute_float = Slot<85, Status*(KernelInfo const*, char const*, float*)>;
using KernelInfoGetAttribute_int64 = Slot<86, Status*(KernelInfo const*, char const*, int64_t*)>;
using KernelInfoGetAttribute_string = Slot<87, Status*(KernelInfo const*, char const*, char*, size_t*)>;
using KernelContext_GetInput = Slot<90, Status*(KernelContext const*, size_t, Value const**)>;
using KernelContext_GetOutput = Slot<91, Status*(KernelContext*, size_t, int64_t const*, size_t, Value**)>;
using ReleaseStatus = Slot<93, void(Status*)>;
using ReleaseTensorTypeAndShapeInfo = Slot<99, void(TypeShape*)>;
using ReleaseCustomOpDomain = Slot<101, void(Domain*)>;
using KernelInfoGetAttributeArray_int64 = Slot<163, Status*(KernelInfo const*, char const*, int64_t*, size_t*)>;
using KernelInfoGetConstantInput_tensor = Slot<249, Status*(KernelInfo const*, size_t, int*, Value const**)>;
using ShapeInferContext_GetInputTypeShape = Slot<268, Status*(InferContext const*, size_t, TypeShape**)>;
using ShapeInferContext_GetAttribute = Slot<269, Status*(InferContext const*, char const*, Attribute const**)>;
using ShapeInferContext_SetOutputTypeShape = Slot<270, Status*(InferContext const*, size_t, TypeShape const*)>;
using SetSymbolicDimensions = Slot<271, Status*(TypeShape*, char const**, size_t)>;
using ReadOpAttr = Slot<272, Status*(Attribute const*, AttributeType, void*, size_t, size_t*)>;
using KernelContext_ParallelFor
    = Slot<274, Status*(KernelContext const*, void (*)(void*, size_t), size_t, size_t, void*)>;

} // namespace slot

//! A table, whose functions are called by slot: `api.call<slot::CreateStatus>(code, "why")`.
class Api
{
public:
    explicit Api(ApiTable const* table)
        : mFunctions(reinterpret_cast<Function const*>(table))
    {
    }

    template <typename S, typename... Arguments>
    auto call(Arguments... arguments) const
    {
        return reinterpret_cast<typename S::Function*>(mFunctions[S::kINDEX])(arguments...);
    }

private:
    using Function = void (*)();
    Function const* mFunctions;
};

//! An op as ONNX Runtime wants it described. It keeps the pointer for as long as a session lives.
struct CustomOp
{
    uint32_t version; //!< of the interface this is laid out for: kAPI_VERSION
    void* (*CreateKernel)(CustomOp const*, ApiTable const*, KernelInfo const*);
    char const* (*GetName)(CustomOp const*);
    char const* (*GetExecutionProviderType)(CustomOp const*);
    Type (*GetInputType)(CustomOp const*, size_t);
    size_t (*GetInputTypeCount)(CustomOp const*);
    Type (*GetOutputType)(CustomOp const*, size_t);
    size_t (*GetOutputTypeCount)(CustomOp const*);
    void (*KernelCompute)(void*, KernelContext*);
    void (*KernelDestroy)(void*);
    Presence (*GetInputCharacteristic)(CustomOp const*, size_t);
    Presence (*GetOutputCharacteristic)(CustomOp const*, size_t);
    MemoryType (*GetInputMemoryType)(CustomOp const*, size_t);
    int (*GetVariadicInputMinArity)(CustomOp const*);
    int (*GetVariadicInputHomogeneity)(CustomOp const*);
    int (*GetVariadicOutputMinArity)(CustomOp const*);
    int (*GetVariadicOutputHomogeneity)(CustomOp const*);
    Status* (*CreateKernelV2)(CustomOp const*, ApiTable const*, KernelInfo const*, void**);
    Status* (*KernelComputeV2)(void*, KernelContext*);
    Status* (*InferOutputShapeFn)(CustomOp const*, InferContext*);
    int (*GetStartVersion)(CustomOp const*);
    int (*GetEndVersion)(CustomOp const*);
    size_t (*GetMayInplace)(int**, int**); //!< this and the rest may be null
    void (*ReleaseMayInplace)(int*, int*);
    size_t (*GetAliasMap)(int**, int**);
    void (*ReleaseAliasMap)(int*, int*);
};

} // namespace spikehalt::ort

#endif
